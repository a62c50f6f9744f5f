// Precompiled for the tests: what the library has, and GoogleTest, which every test includes.
#pragma once
#include "../../cmake/pch.hpp"

#include <gtest/gtest.h>
