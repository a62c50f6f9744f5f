#include "net/http_server.hpp"

#include "net/http_client.hpp"
#include "net/unix_client.hpp"
#include "support/net_loop.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace pawl::net {
namespace {

using namespace std::chrono_literals;
using testing::connect_tcp;
using testing::read_all;
using testing::read_until;
using testing::run_until;
using testing::TempDir;
using testing::write_all;

/// A server on a loop of its own thread, so that the test may block.
struct Served {
    boost::asio::io_context loop{1};
    std::unique_ptr<HttpServer> server;
    std::uint16_t port = 0;
    std::thread thread;
    TempDir dir;

    explicit Served(HttpServer::Handler handler, HttpServerOptions options = {}) {
        server = std::make_unique<HttpServer>(loop, std::move(handler), options);
        port = server->listen_tcp("127.0.0.1", 0).value();
        server->listen_unix(dir.path("s.sock")).value();
        thread = std::thread([this] { loop.run(); });
    }
    ~Served() {
        boost::asio::post(loop, [this] { server.reset(); });
        thread.join();
    }
    UnixClient client(int stop_fd = -1) const { return UnixClient(dir.path("s.sock"), stop_fd); }
    std::string raw(std::string_view text) const {
        const int fd = connect_tcp(port);
        write_all(fd, text);
        const std::string got = read_all(fd);
        ::close(fd);
        return got;
    }
};

void echo(ServerRequest request, const HttpServer::Respond& respond) {
    ServerResponse response;
    response.body = request.method + " " + request.target + " " + request.body;
    response.content_type = "text/plain";
    respond(std::move(response));
}

LocalRequest local_get(const std::string& target) {
    LocalRequest request;
    request.target = target;
    return request;
}

TEST(HttpServer, AnswersOverTheUnixSocket) {
    Served served(echo);
    LocalRequest request;
    request.method = "POST";
    request.target = "/v1/tasks?x=1";
    request.body = "{}";
    const auto got = served.client().request(request);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->status, 200);
    EXPECT_EQ(got->body, "POST /v1/tasks?x=1 {}");
    EXPECT_EQ(got->header("content-type"), "text/plain");
}

TEST(HttpServer, TheUnixSocketIsForItsOwnerOnly) {
    Served served(echo);
    struct stat info {};
    ASSERT_EQ(::stat(served.dir.path("s.sock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(HttpServer, AnotherUserIsNotServed) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
    // Root's socket, opened to all by hand: the mode is one guard, the peer's uid the other.
    Served served(echo);
    ::chmod(served.dir.path().c_str(), 0755);
    ::chmod(served.dir.path("s.sock").c_str(), 0666);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setresuid(65'534, 65'534, 65'534) != 0) ::_exit(3);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, served.dir.path("s.sock").c_str());
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) ::_exit(4);
        ::send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, MSG_NOSIGNAL);
        char byte = 0;
        ::_exit(::recv(fd, &byte, 1, 0) > 0 ? 5 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(HttpServer, AStaleSocketIsReplacedAndAFileIsNot) {
    TempDir dir;
    boost::asio::io_context loop{1};
    auto first = std::make_unique<HttpServer>(loop, echo);
    ASSERT_TRUE(first->listen_unix(dir.path("s")));
    HttpServer second(loop, echo);
    ASSERT_TRUE(second.listen_unix(dir.path("s")));
    first.reset();
    EXPECT_EQ(::access(dir.path("s").c_str(), F_OK), 0) << "the first must not remove its successor's socket";
    second.stop();
    EXPECT_NE(::access(dir.path("s").c_str(), F_OK), 0);

    std::ofstream(dir.path("file")) << "precious";
    HttpServer third(loop, echo);
    EXPECT_EQ(third.listen_unix(dir.path("file")).error().code, Errc::bad_input);
    EXPECT_EQ(third.listen_unix(dir.path(std::string(200, 'x'))).error().code, Errc::bad_input);
    EXPECT_EQ(third.listen_tcp("0.0.0.0", 0).error().code, Errc::bad_input);
    EXPECT_EQ(third.listen_tcp("192.0.2.1", 0).error().code, Errc::bad_input);
}

TEST(HttpServer, ATakenPortIsRefused) {
    Served served(echo);
    boost::asio::io_context loop{1};
    HttpServer other(loop, echo);
    EXPECT_EQ(other.listen_tcp("127.0.0.1", served.port).error().code, Errc::refused);
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
    Served served(echo);
    const std::string got = served.raw(
        "GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
        "GET /3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const auto one = got.find("GET /1"), two = got.find("POST /2 x"), three = got.find("GET /3");
    EXPECT_NE(three, std::string::npos) << got;
    EXPECT_LT(one, two);
    EXPECT_LT(two, three);
    EXPECT_NE(got.find("Connection: keep-alive"), std::string::npos);
    EXPECT_NE(got.find("Connection: close"), std::string::npos);
}

TEST(HttpServer, ARefusedRequestIsAnsweredOnceAndTheConnectionCloses) {
    Served served(echo);
    const std::string got = served.raw(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(got.starts_with("HTTP/1.1 400 ")) << got;
    EXPECT_EQ(got.find("HTTP/1.1", 9), std::string::npos) << got;
    EXPECT_EQ(got.find("evil"), std::string::npos);
    EXPECT_NE(got.find("application/problem+json"), std::string::npos);
    EXPECT_TRUE(served.raw("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").starts_with("HTTP/1.1 403 "));
}

TEST(HttpServer, TheRefusalOfALongBodyArrivesAlthoughTheBodyIsStillComing) {
    Served served(echo);
    const std::string got =
        served.raw("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n" + std::string(500'000, 'x'));
    EXPECT_TRUE(got.starts_with("HTTP/1.1 413 ")) << got;
}

TEST(HttpServer, ContinueIsSaidToThoseWhoWaitForIt) {
    Served served(echo);
    const int fd = connect_tcp(served.port);
    write_all(
        fd,
        "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(read_until(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    write_all(fd, "abc");
    EXPECT_NE(read_all(fd).find("POST / abc"), std::string::npos);
    ::close(fd);
}

TEST(HttpServer, HeadHasNoBodyAndHttp10Closes) {
    Served served(echo);
    const std::string head = served.raw("HEAD /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_NE(head.find("Content-Length: 8"), std::string::npos) << head;
    EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
    const std::string old = served.raw("GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(old.starts_with("HTTP/1.0 200")) << old;
    EXPECT_TRUE(old.ends_with("GET /x ")) << old;
}

TEST(HttpServer, SlowHeadersAndBodiesAreCutOff) {
    HttpServerOptions options;
    options.header_timeout = 20ms;
    options.body_timeout = 20ms;
    options.idle_timeout = 20ms;
    Served served(echo, options);
    EXPECT_TRUE(served.raw("GET / HT").starts_with("HTTP/1.1 408 "));
    EXPECT_TRUE(
        served.raw("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc").starts_with("HTTP/1.1 408 "));
    EXPECT_TRUE(served.raw("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
                    .starts_with("HTTP/1.1 408 "));
    EXPECT_EQ(served.raw(""), "") << "an idle connection closes without a word";
    EXPECT_NE(served.raw("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n").find("GET /x"), std::string::npos);
}

TEST(HttpServer, MoreConnectionsThanTheBoundAreRefused) {
    HttpServerOptions options;
    options.connections_max = 2;
    Served served(echo, options);
    const int a = connect_tcp(served.port), b = connect_tcp(served.port);
    for (const int fd : {a, b}) {
        write_all(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        EXPECT_TRUE(read_until(fd, "GET / ").starts_with("HTTP/1.1 200"));
    }
    const int c = connect_tcp(served.port);
    EXPECT_TRUE(read_all(c).starts_with("HTTP/1.1 503 "));
    ::close(a);
    ::close(c);
    // The freed place is taken again; the server needs a moment to see the close.
    std::string got;
    while (!got.starts_with("HTTP/1.1 200"))
        got = served.raw("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    ::close(b);
}

TEST(HttpServer, AnAnswerMayComeLater) {
    HttpServer::Respond kept;
    std::atomic<bool> asked{false};
    Served served([&](ServerRequest, HttpServer::Respond respond) {
        kept = std::move(respond);
        asked = true;
    });
    std::thread late([&] {
        while (!asked) std::this_thread::yield();
        boost::asio::post(served.loop, [&] {
            ServerResponse response;
            response.body = "at last";
            kept(response);
            kept(response);  // a second answer does nothing
            kept = nullptr;
        });
    });
    const auto got = served.client().request(local_get("/"));
    late.join();
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->body, "at last");
}

TEST(HttpServer, ADroppedOrThrowingHandlerAnswers500) {
    Served served([](ServerRequest request, HttpServer::Respond) {
        if (request.path() == "/throw") throw std::runtime_error("broken");
    });
    EXPECT_EQ(served.client().request(local_get("/"))->status, 500);
    EXPECT_EQ(served.client().request(local_get("/throw"))->status, 500);
}

TEST(HttpServer, ACallerThatLeavesIsNoticed) {
    std::atomic<bool> gone{false}, asked{false};
    HttpServer::Respond kept;
    Served served([&](ServerRequest request, HttpServer::Respond respond) {
        request.caller->on_gone = [&] { gone = true; };
        kept = std::move(respond);
        asked = true;
    });
    const int fd = connect_tcp(served.port);
    write_all(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!asked) std::this_thread::yield();
    EXPECT_FALSE(gone);
    ::close(fd);
    while (!gone) std::this_thread::yield();
    boost::asio::post(served.loop, [&] {
        kept({});
        kept = nullptr;
    });  // too late, and harmless
}

TEST(HttpServer, AStreamArrivesPieceByPieceAndTheConnectionGoesOn) {
    std::shared_ptr<BodyStream> stream;
    std::atomic<bool> open{false};
    Served served([&](ServerRequest request, HttpServer::Respond respond) {
        if (request.path() != "/stream") return echo(std::move(request), respond);
        ServerResponse response;
        response.content_type = "text/event-stream";
        response.stream = [&](std::shared_ptr<BodyStream> s) {
            stream = std::move(s);
            open = true;
        };
        respond(std::move(response));
    });
    const int fd = connect_tcp(served.port);
    write_all(fd, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_NE(read_until(fd, "\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
    while (!open) std::this_thread::yield();
    boost::asio::post(served.loop, [&] { EXPECT_TRUE(stream->write("one")); });
    EXPECT_EQ(read_until(fd, "one\r\n"), "3\r\none\r\n");
    boost::asio::post(served.loop, [&] {
        EXPECT_TRUE(stream->write("twotwotwotwotwotwo"));
        stream->finish();
        EXPECT_FALSE(stream->write("late"));
        stream.reset();
    });
    EXPECT_EQ(read_until(fd, "0\r\n\r\n"), "12\r\ntwotwotwotwotwotwo\r\n0\r\n\r\n");
    write_all(fd, "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_NE(read_all(fd).find("GET /x"), std::string::npos);
    ::close(fd);
}

TEST(HttpServer, ASlowReaderIsCutWhenItsBufferIsFull) {
    HttpServerOptions options;
    options.stream_buffer_max = 100'000;
    std::atomic<bool> cut{false}, gone{false};
    Served served(
        [&](ServerRequest request, HttpServer::Respond respond) {
            request.caller->on_gone = [&] { gone = true; };
            ServerResponse response;
            response.stream = [&](std::shared_ptr<BodyStream> stream) {
                const std::string piece(10'000, 'x');
                // What the kernel takes is not ours to bound; what we hold is.
                for (int i = 0; i < 100'000 && !cut; ++i) cut = !stream->write(piece);
            };
            respond(std::move(response));
        },
        options);
    const int fd = connect_tcp(served.port);
    write_all(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!cut) std::this_thread::yield();
    EXPECT_TRUE(gone);
    const std::string got = read_all(fd);
    EXPECT_FALSE(got.ends_with("0\r\n\r\n")) << "a cut body must not look whole";
    ::close(fd);
}

TEST(HttpServer, AnAbandonedStreamIsACutForTheReader) {
    Served served([&](ServerRequest, HttpServer::Respond respond) {
        ServerResponse response;
        response.stream = [](std::shared_ptr<BodyStream> stream) { stream->write("half"); };
        respond(std::move(response));
    });
    const auto got = served.client().stream(local_get("/"), [](std::string_view) { return true; });
    ASSERT_TRUE(got.has_error());
    EXPECT_EQ(got.error().code, Errc::store_unavailable);
}

TEST(HttpServer, StopAnswersWhatIsOpenAndRefusesWhatIsNew) {
    HttpServer::Respond kept;
    std::atomic<bool> asked{false}, stopped{false};
    Served served([&](ServerRequest, HttpServer::Respond respond) {
        kept = std::move(respond);
        asked = true;
    });
    const int idle = connect_tcp(served.port);
    const int busy = connect_tcp(served.port);
    write_all(busy, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!asked) std::this_thread::yield();
    boost::asio::post(served.loop, [&] {
        served.server->stop();
        stopped = true;
    });
    while (!stopped) std::this_thread::yield();
    EXPECT_EQ(read_all(idle), "");
    EXPECT_EQ(connect_tcp(served.port), -1);
    EXPECT_EQ(served.client().request(local_get("/")).error().code, Errc::unreachable);
    boost::asio::post(served.loop, [&] {
        kept({});
        kept = nullptr;
    });
    const std::string got = read_all(busy);
    EXPECT_TRUE(got.starts_with("HTTP/1.1 200")) << got;
    EXPECT_NE(got.find("Connection: close"), std::string::npos);
    ::close(idle);
    ::close(busy);
}

TEST(UnixClient, NobodyThereIsUnreachable) {
    TempDir dir;
    EXPECT_EQ(UnixClient(dir.path("none")).request(local_get("/")).error().code, Errc::unreachable);
    std::ofstream(dir.path("file")) << "x";
    EXPECT_EQ(UnixClient(dir.path("file")).request(local_get("/")).error().code, Errc::unreachable);
}

TEST(UnixClient, ASilentServerTimesOutAndAStopEndsTheWait) {
    HttpServer::Respond kept;
    Served served([&](ServerRequest, HttpServer::Respond respond) { kept = std::move(respond); });
    LocalRequest request = local_get("/");
    request.timeout = 20ms;
    EXPECT_EQ(served.client().request(request).error().code, Errc::timed_out);
    const int stop = ::eventfd(1, EFD_CLOEXEC);
    EXPECT_EQ(served.client(stop).request(local_get("/")).error().code, Errc::stopping);
    ::close(stop);
    boost::asio::post(served.loop, [&] { kept = nullptr; });
}

TEST(UnixClient, AStreamIsReadUntilItsReaderHasEnough) {
    Served served([&](ServerRequest, HttpServer::Respond respond) {
        ServerResponse response;
        response.stream = [](std::shared_ptr<BodyStream> stream) {
            for (int i = 0; i < 5; ++i) stream->write("line\n");
            stream->finish();
        };
        respond(std::move(response));
    });
    std::string all;
    const auto whole = served.client().stream(local_get("/"), [&](std::string_view piece) {
        all += piece;
        return true;
    });
    ASSERT_TRUE(whole);
    EXPECT_EQ(all, "line\nline\nline\nline\nline\n");
    EXPECT_EQ(whole->body, "");
    int calls = 0;
    EXPECT_TRUE(served.client().stream(local_get("/"), [&](std::string_view) {
        ++calls;
        return false;
    }));
    EXPECT_EQ(calls, 1);
}

TEST(UnixClient, LineBreaksInARequestAreRefused) {
    LocalRequest request = local_get("/ HTTP/1.1\r\nX: y");
    EXPECT_EQ(UnixClient("/tmp/none").request(request).error().code, Errc::bad_input);
}

}  // namespace
}  // namespace pawl::net
