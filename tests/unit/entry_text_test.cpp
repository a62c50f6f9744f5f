#include "cli/entry_text.hpp"

#include <gtest/gtest.h>

namespace pawl::cli {
namespace {

std::string line_of(const std::string& json) {
    server::Response response;
    response.body = json;
    return entry_text(Answer(response));
}

TEST(EntryText, SaysWhoAskedAndWhy) {
    EXPECT_EQ(line_of(R"({"no":8,"kind":"cancelled","at":"T","reason":"user","error":{"class":"final",)"
                      R"("code":"task_cancelled","message":"by ann (request r1): full"},"by":"ann","request":"r1",)"
                      R"("note":"full"})"),
              "T  8  cancelled  reason user  by ann  request r1  note full\n");
}

TEST(EntryText, AnErrorIsItsMessageAndNeverRawJson) {
    EXPECT_EQ(line_of(R"({"no":2,"kind":"step_failed","at":"T","path":"a#1","attempt":1,"error":{"class":"final",)"
                      R"("code":"step_failed","message":"no such image"}})"),
              "T  2  step_failed  a#1  attempt 1  no such image\n");
    EXPECT_EQ(line_of(R"({"no":3,"kind":"paused","at":"T","error":{"class":"final","code":"diverged","message":""}})"),
              "T  3  paused\n");
}

}  // namespace
}  // namespace pawl::cli
