// Each guard is there for a reason: without it, the check that every store passes finds a broken promise.
#include "conformance/harness.hpp"

namespace pawl::test {
namespace {

// Each check answers what went wrong, or nothing.
using Check = std::string (*)(Harness&);

// Spec section 1.5: two workers never both record a result for the same step.
std::string a_late_worker_is_fenced_off(Harness& h) {
    const ClaimedTask slow = submit_and_claim(h, submit(1));
    EXPECT_TRUE(ask<Recorded>(h, record(slow, HandBack{})));
    const ClaimedTask quick = claim_one(h);
    EXPECT_TRUE(ask<Recorded>(h, record(quick, {}, {completed_step("a#1", "\"quick\"")})));
    if (ask<Recorded>(h, record(slow, {}, {completed_step("a#1", "\"slow\"")}))) {
        return "a worker wrote under a claim that was over";
    }
    return "";
}

// The numbers of claims begin anew with each opening: only the epoch tells an old one.
std::string a_worker_of_a_dead_owner_is_fenced_off(Harness& h) {
    const ClaimedTask before = submit_and_claim(h, submit(1));
    h.crash();
    const ClaimedTask after = claim_one(h);
    EXPECT_EQ(before.row.fence.claim, after.row.fence.claim) << "the case that the epoch is for";
    if (ask<Recorded>(h, record(before, Complete{"\"before\""}))) return "a worker of a dead owner ended the task";
    return "";
}

std::string a_store_that_lost_its_file_stops(Harness& h) {
    EXPECT_TRUE(ask<Submitted>(h, submit(1)));
    h.usurp();
    if (ask<Submitted>(h, submit(2))) return "two owners wrote to one store";
    return "";
}

class Guards : public testing::TestWithParam<Kind> {
protected:
    template <class Policy>
    std::string broken(Check check) {
        const std::unique_ptr<Harness> h = GetParam().make(make_ledger<Policy>);
        return check(*h);
    }
};

TEST_P(Guards, ALateWorkerIsFencedOff) { EXPECT_EQ(broken<AllGuards>(a_late_worker_is_fenced_off), ""); }
TEST_P(Guards, WithoutTheFenceALateWorkerWrites) { EXPECT_NE(broken<NoFence>(a_late_worker_is_fenced_off), ""); }

TEST_P(Guards, AWorkerOfADeadOwnerIsFencedOff) {
    EXPECT_EQ(broken<AllGuards>(a_worker_of_a_dead_owner_is_fenced_off), "");
}
TEST_P(Guards, WithoutTheEpochAWorkerOfADeadOwnerWrites) {
    EXPECT_NE(broken<NoEpoch>(a_worker_of_a_dead_owner_is_fenced_off), "");
}

TEST_P(Guards, AStoreThatLostItsFileStops) { EXPECT_EQ(broken<AllGuards>(a_store_that_lost_its_file_stops), ""); }
TEST_P(Guards, WithoutTheOwnerCheckTwoOwnersWrite) { EXPECT_NE(broken<NoOwner>(a_store_that_lost_its_file_stops), ""); }

INSTANTIATE_TEST_SUITE_P(All, Guards, testing::ValuesIn(owned_kinds()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace pawl::test
