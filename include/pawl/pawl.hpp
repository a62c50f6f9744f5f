/// Everything a program needs.
#pragma once

#include <pawl/agent.hpp>
#include <pawl/client.hpp>
#include <pawl/json.hpp>
#include <pawl/program.hpp>
#include <pawl/result.hpp>
#include <pawl/retry.hpp>
#include <pawl/step.hpp>
#include <pawl/task.hpp>
#include <pawl/version.hpp>
#include <pawl/worker.hpp>
#include <pawl/workflow.hpp>
