#include "limits.hpp"

#include "measure.hpp"

#include <sqlite3.h>

#include <fcntl.h>
#include <unistd.h>

namespace bench {
namespace {

void must(int status, sqlite3* db) {
    if (status != SQLITE_OK && status != SQLITE_DONE) give_up(std::string("SQLite: ") + sqlite3_errmsg(db));
}

// The journal as the product's store has it, with nothing around it.
class BareJournal {
public:
    explicit BareJournal(const std::string& file) {
        must(sqlite3_open(file.c_str(), &db_), db_);
        run("pragma journal_mode=wal; pragma synchronous=full;"
            "create table journal(seq integer primary key, task int not null, no int not null, kind int not null, "
            "format int not null, path text, at int not null, number int not null, due int, result blob, error blob, "
            "cost_uusd int not null) strict; create unique index journal_task on journal(task, no);");
        must(sqlite3_prepare_v2(db_,
                                "insert into journal values(null, ?1, ?2, 43, 1, 'step#1', 0, 1, null, ?3, null, 0)",
                                -1, &insert_, nullptr),
             db_);
    }
    ~BareJournal() {
        sqlite3_finalize(insert_);
        sqlite3_close(db_);
    }
    BareJournal(const BareJournal&) = delete;
    BareJournal& operator=(const BareJournal&) = delete;

    void commit_rows(int rows) {
        run("begin immediate");
        for (int i = 0; i < rows; i++) {
            sqlite3_bind_int64(insert_, 1, next_ / 10);
            sqlite3_bind_int64(insert_, 2, next_++ % 10);
            sqlite3_bind_blob(insert_, 3, result_.data(), static_cast<int>(result_.size()), SQLITE_STATIC);
            must(sqlite3_step(insert_), db_);
            sqlite3_reset(insert_);
        }
        run("commit");
    }

private:
    void run(const char* sql) { must(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr), db_); }

    sqlite3* db_ = nullptr;
    sqlite3_stmt* insert_ = nullptr;
    std::int64_t next_ = 10;
    const std::string result_ = std::string(200, 'x');
};

std::vector<std::int64_t> commit_for(BareJournal& journal, int rows, double length_s) {
    std::vector<std::int64_t> samples;
    const std::int64_t end = now_ns() + static_cast<std::int64_t>(length_s * 1e9);
    for (std::int64_t start = now_ns(); start < end;) {
        journal.commit_rows(rows);
        const std::int64_t done = now_ns();
        samples.push_back(done - start);
        start = done;
    }
    return samples;
}

double rate(const std::vector<std::int64_t>& samples, int rows) {
    std::int64_t sum = 0;
    for (const std::int64_t s : samples) sum += s;
    return static_cast<double>(samples.size()) * rows / seconds(sum);
}

}  // namespace

double measure_flush(const Options& options, const std::filesystem::path& folder) {
    const Folder own(folder);
    const int fd = ::open(own.file("flush").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) give_up("no file can be made in " + folder.string());
    const std::string page(4096, 'f');
    constexpr int pages = 1'024;
    for (int i = 0; i < pages; i++)
        if (::write(fd, page.data(), page.size()) != static_cast<ssize_t>(page.size())) give_up("the disk is full");
    ::fsync(fd);
    std::vector<std::int64_t> samples;
    const int rounds = options.quick ? 400 : 2'000;
    for (int i = 0; i < rounds; i++) {
        const std::int64_t start = now_ns();
        if (::pwrite(fd, page.data(), page.size(), static_cast<off_t>(i % pages) * 4096) < 0) give_up("a write failed");
        ::fdatasync(fd);
        samples.push_back(now_ns() - start);
    }
    ::close(fd);
    return milliseconds(percentile(std::move(samples), 0.5));
}

Limits measure_limits(const Options& options, const std::filesystem::path& folder) {
    const double length_s = options.quick ? 0.7 : 3;
    Limits limits;
    limits.f_ms = measure_flush(options, folder);
    const Folder own(folder);
    {
        BareJournal journal(own.file("s1.db"));
        commit_for(journal, 1, length_s / 4);  // past the first lap of the log, which grows the file
        const auto samples = commit_for(journal, 1, length_s);
        limits.s1_per_s = rate(samples, 1);
        limits.s1_p50_ms = milliseconds(percentile(samples, 0.5));
    }
    {
        BareJournal journal(own.file("s64.db"));
        commit_for(journal, 64, length_s / 4);
        limits.s64_per_s = rate(commit_for(journal, 64, length_s), 64);
    }
    limits.h64_per_s = measure_http(options);
    return limits;
}

}  // namespace bench
