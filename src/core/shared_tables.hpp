// What a store that several processes write to adds to core/tables.hpp. The ledger then takes nothing that it remembers
// of an earlier transaction for true: a batch begins with a look at the tables that locks the rows it will touch and
// says what others have changed. Rows it did not foresee are locked when they are read. All of one transaction is
// undone together.
#pragma once

#include "core/lanes.hpp"
#include "core/store.hpp"
#include "core/tables.hpp"

#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace pawl::core {

class SharedTables {
public:
    /// Running rows that the ledger remembers, since this process holds them.
    class Held {
    public:
        struct Row {
            TaskRef ref = 0;
            int revision = 0;
        };
        virtual ~Held() = default;
        virtual std::optional<int> revision(TaskRef ref) const = 0;
        virtual std::vector<Row> all() const = 0;
    };
    /// A process that is gone, and what it held.
    struct Dead {
        std::int32_t worker = 0;
        Instant last_seen{};
        std::vector<TaskRef> held;  ///< locked; those that another process has locked are its own
    };
    /// A submit that was committed elsewhere, in a transaction of a user, who knows its id: it cannot be refused any
    /// more. Its checks were done there.
    struct Posted {
        Submit submit;
        TaskRef ref = 0;
        Instant at{};  ///< of the call
    };
    struct Outlook {
        /// Of the held rows that the batch will touch, or of all when others asked something of them: those that are
        /// still as they were. They are locked.
        std::vector<TaskRef> unchanged;
        /// The held rows that somebody else has changed, as they are now; locked, too. One that is missing was taken
        /// away and purged.
        std::vector<TaskRef> changed;
        /// The queues that have settings, as far as the batch submits to them or claims from them.
        std::vector<std::pair<QueueKey, Lanes::QueueNow>> queues;
        /// What is to be taken over now.
        std::vector<Dead> dead;
        /// No longer in the tables, if this transaction is committed.
        std::vector<Posted> posted;
        /// It is time to ask anew when rows of anybody fall due.
        bool look_at_times = false;
    };

    /// What a claim may take.
    struct Claimable {
        std::vector<StoredRow> ready;     ///< best first
        std::vector<StoredRow> suspects;  ///< the best one, if there is any
    };
    using IsOpen = std::function<bool(const QueueKey&)>;

    virtual ~SharedTables() = default;

    /// Before the commands of each batch. The time of the batch (StoreClock) is read with it.
    virtual Outlook look(std::span<const Command> batch, const Held& held) = 0;
    /// The same before the end of this process: only what it holds, all of it.
    virtual Outlook look_at_held(const Held& held) = 0;
    /// Up to `rows_max` ready rows, and a suspect, of the queues that are open; this transaction's own included. They
    /// are locked, and those that another one has locked are its own.
    virtual Claimable claimable(const Claim& claim, int rows_max, const IsOpen& is_open) = 0;
    /// A number for a new task; each is given once.
    virtual TaskRef new_ref() = 0;
    /// Another transaction is submitting with this key, and nobody knows how it ends. Otherwise nobody else submits
    /// with it until this transaction ends.
    virtual bool is_busy(const KeyName& key) = 0;
    /// This process's number: its fences carry it. 0 before the first claim.
    virtual std::int32_t worker() const = 0;
    /// Of the entries that this process has appended.
    virtual FeedCursor newest() const = 0;
};

}  // namespace pawl::core
