#include "net/http_client.hpp"

#include "net/http_server.hpp"
#include "support/net_loop.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

namespace pawl::net {
namespace {

using core::HttpRequest;
using core::HttpResponse;
using core::NetError;
using namespace std::chrono_literals;
using testing::exchange;
using testing::RawPeer;
using testing::read_until;
using testing::run_until;
using testing::write_all;

constexpr std::string_view ok_abc = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";

HttpRequest get(const std::string& url) {
    HttpRequest request;
    request.method = "GET";
    request.url = url;
    return request;
}

HttpRequest post(const std::string& url, std::string body) {
    HttpRequest request;
    request.url = url;
    request.headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer x"}};
    request.body = std::move(body);
    return request;
}

struct HttpClientTest : ::testing::Test {
    boost::asio::io_context loop{1};
    std::unique_ptr<HttpClient> client = std::make_unique<HttpClient>(loop);

    HttpResponse response_of(HttpRequest request, std::function<void(std::string_view)> chunk = {}) {
        auto answer = exchange(loop, *client, std::move(request), std::move(chunk));
        if (const auto* error = std::get_if<NetError>(&answer)) ADD_FAILURE() << error->message;
        return std::holds_alternative<HttpResponse>(answer) ? std::get<HttpResponse>(std::move(answer))
                                                            : HttpResponse{};
    }
    NetError error_of(HttpRequest request) {
        auto answer = exchange(loop, *client, std::move(request));
        if (std::holds_alternative<HttpResponse>(answer)) ADD_FAILURE() << "an answer came";
        return std::holds_alternative<NetError>(answer) ? std::get<NetError>(std::move(answer)) : NetError{};
    }
};

TEST_F(HttpClientTest, ARequestIsSentAsAskedAndTheAnswerComesBack) {
    std::string seen;
    RawPeer peer([&](int fd) {
        seen = read_until(fd, "{\"a\":1}");
        write_all(fd, "HTTP/1.1 201 Created\r\nX-Request-Id: r1\r\nContent-Length: 2\r\n\r\nhi");
    });
    const HttpResponse got = response_of(post(peer.url("/v1/x?y=z"), "{\"a\":1}"));
    EXPECT_EQ(got.status, 201);
    EXPECT_EQ(got.body, "hi");
    EXPECT_EQ(got.header("x-request-id"), "r1");
    EXPECT_EQ(
        seen,
        "POST /v1/x?y=z HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(peer.port()) +
            "\r\nContent-Type: application/json\r\nAuthorization: Bearer x\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
}

TEST_F(HttpClientTest, AKeptConnectionServesTheNextExchange) {
    RawPeer peer([&](int fd) {
        for (int i = 0; i < 3; ++i) {
            read_until(fd, "\r\n\r\n");
            write_all(fd, ok_abc);
        }
    });
    for (int i = 0; i < 3; ++i) EXPECT_EQ(response_of(get(peer.url())).body, "abc");
    EXPECT_EQ(client->connections_made(), 1u);
}

TEST_F(HttpClientTest, AKeptConnectionThatDiedIsReplacedUnseen) {
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, ok_abc);  // and closes, without having said so
    });
    for (int i = 0; i < 5; ++i) EXPECT_EQ(response_of(get(peer.url())).body, "abc");
    EXPECT_EQ(peer.accepted(), 5);
}

TEST_F(HttpClientTest, ConnectionCloseIsHonoured) {
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
        testing::read_all(fd);
    });
    EXPECT_EQ(response_of(get(peer.url())).body, "abc");
    EXPECT_EQ(client->connections(), 0u);
}

TEST_F(HttpClientTest, AnUnusedConnectionIsClosedAfterItsTime) {
    HttpClientOptions options;
    options.idle_close = 10ms;
    client = std::make_unique<HttpClient>(loop, options);
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, ok_abc);
        testing::read_all(fd);
    });
    response_of(get(peer.url()));
    EXPECT_TRUE(run_until(loop, [&] { return client->connections() == 0; }));
    // With nothing alive no timer is left: the loop has nothing to wait for.
    EXPECT_TRUE(run_until(loop, [&] { return loop.stopped() || loop.poll() == 0; }));
}

TEST_F(HttpClientTest, ARefusedConnectionIsNotSent) {
    std::uint16_t free_port = 0;
    {
        RawPeer gone([](int) {});
        free_port = gone.port();
    }
    const NetError error = error_of(get("http://127.0.0.1:" + std::to_string(free_port) + "/"));
    EXPECT_EQ(error.kind, NetError::Kind::connect);
    EXPECT_FALSE(error.sent);
}

TEST_F(HttpClientTest, AnUnknownNameIsAConnectError) {
    const NetError error = error_of(get("http://no-such-name.invalid/"));
    EXPECT_EQ(error.kind, NetError::Kind::connect);
    EXPECT_FALSE(error.sent);
}

TEST_F(HttpClientTest, AConnectionCutAfterTheRequestIsAResetThatWasSent) {
    RawPeer peer([&](int fd) { read_until(fd, "\r\n\r\n"); });
    const NetError error = error_of(get(peer.url()));
    EXPECT_EQ(error.kind, NetError::Kind::reset);
    EXPECT_TRUE(error.sent);
    EXPECT_EQ(peer.accepted(), 1) << "it may have acted: no second request by itself";
}

TEST_F(HttpClientTest, AnAnswerCutInItsBodyIsAReset) {
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    });
    EXPECT_EQ(error_of(get(peer.url())).kind, NetError::Kind::reset);
    RawPeer chunked([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    });
    EXPECT_EQ(error_of(get(chunked.url())).kind, NetError::Kind::reset);
}

TEST_F(HttpClientTest, ABodyThatEndsWithTheConnectionIsWhole) {
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 200 OK\r\n\r\nall of it");
    });
    EXPECT_EQ(response_of(get(peer.url())).body, "all of it");
    EXPECT_EQ(client->connections(), 0u);
}

TEST_F(HttpClientTest, InterimAnswersAreSkipped) {
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        write_all(fd, ok_abc);
        testing::read_all(fd);
    });
    const HttpResponse got = response_of(get(peer.url()));
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, "abc");
}

TEST_F(HttpClientTest, WhatIsNotHttpIsMalformed) {
    for (const char* text :
         {"SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        RawPeer peer([&](int fd) {
            read_until(fd, "\r\n\r\n");
            write_all(fd, text);
        });
        EXPECT_EQ(error_of(get(peer.url())).kind, NetError::Kind::malformed) << text;
    }
}

TEST_F(HttpClientTest, AnEarlyRefusalOfALongBodyIsSeen) {
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!");
        testing::read_all(fd);
    });
    EXPECT_EQ(response_of(post(peer.url(), std::string(2'000'000, 'x'))).status, 413);
}

TEST_F(HttpClientTest, ASilentPeerTimesOut) {
    RawPeer peer([&](int fd) { testing::read_all(fd); });
    HttpRequest whole = get(peer.url());
    whole.timeout = 30ms;
    NetError error = error_of(whole);
    EXPECT_EQ(error.kind, NetError::Kind::timeout);
    EXPECT_TRUE(error.sent);
    EXPECT_NE(error.message.find("30 ms"), std::string::npos);

    HttpRequest idle = get(peer.url());
    idle.idle = 20ms;
    error = error_of(idle);
    EXPECT_EQ(error.kind, NetError::Kind::timeout);
    EXPECT_NE(error.message.find("no byte"), std::string::npos) << error.message;
    EXPECT_TRUE(run_until(loop, [&] { return client->connections() == 0; }));
}

TEST_F(HttpClientTest, TheIdleLimitStartsAnewWithEachByte) {
    // Whole seconds of silence would be needed to tell the limits apart by time; the peer says what it does instead:
    // it sends a byte only after it saw that the one before has arrived.
    int seen = 0;
    std::atomic<int> arrived{0};
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
        for (int i = 0; i < 20; ++i) {
            while (arrived < i) std::this_thread::yield();
            write_all(fd, "x");
        }
        testing::read_all(fd);
    });
    HttpRequest request = get(peer.url());
    request.idle = 10s;
    const HttpResponse got =
        response_of(request, [&](std::string_view bytes) { arrived = seen += static_cast<int>(bytes.size()); });
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(seen, 20);
    EXPECT_EQ(got.body, "");
}

TEST_F(HttpClientTest, AnErrorBodyComesWholeAlsoToAStreamingCaller) {
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 429 Slow\r\nContent-Length: 3\r\n\r\nabc");
    });
    int chunks = 0;
    const HttpResponse got = response_of(get(peer.url()), [&](std::string_view) { ++chunks; });
    EXPECT_EQ(got.status, 429);
    EXPECT_EQ(got.body, "abc");
    EXPECT_EQ(chunks, 0);
}

TEST_F(HttpClientTest, TooLongAnAnswerIsRefused) {
    for (const std::string head :
         {"Content-Length: 1001\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", "\r\n"}) {
        RawPeer peer([&](int fd) {
            read_until(fd, "\r\n\r\n");
            write_all(fd, "HTTP/1.1 200 OK\r\n" + head + std::string(1'001, 'x'));
        });
        HttpRequest request = get(peer.url());
        request.body_max = 1'000;
        EXPECT_EQ(error_of(request).kind, NetError::Kind::too_large) << head;
    }
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n");
    });
    EXPECT_EQ(error_of(get(peer.url())).kind, NetError::Kind::too_large);
}

TEST_F(HttpClientTest, BadRequestsAreRefusedLaterNotInsideSend) {
    for (HttpRequest request : {get("nonsense"), get("ftp://x/"),
                                [] {
                                    auto r = get("http://127.0.0.1:1/");
                                    r.method = "GE T";
                                    return r;
                                }(),
                                [] {
                                    auto r = get("http://127.0.0.1:1/");
                                    r.headers = {{"X", "a\r\nY: b"}};
                                    return r;
                                }()}) {
        bool called = false;
        std::optional<testing::Answer> answer;
        const auto handle = client->send(request, [&](testing::Answer a) {
            called = true;
            answer = std::move(a);
        });
        EXPECT_FALSE(called);
        ASSERT_TRUE(run_until(loop, [&] { return called; }));
        ASSERT_TRUE(std::holds_alternative<NetError>(*answer));
        EXPECT_EQ(std::get<NetError>(*answer).kind, NetError::Kind::bad_url);
    }
}

TEST_F(HttpClientTest, ADestroyedExchangeNeverCallsBack) {
    std::atomic<bool> closed{false};
    RawPeer peer([&](int fd) {
        testing::read_all(fd);
        closed = true;
    });
    bool called = false;
    auto handle = client->send(get(peer.url()), [&](testing::Answer) { called = true; });
    ASSERT_TRUE(run_until(loop, [&] { return peer.accepted() == 1; }));
    handle.reset();
    EXPECT_TRUE(run_until(loop, [&] { return closed && client->connections() == 0; }));
    EXPECT_FALSE(called);
}

TEST_F(HttpClientTest, AnExchangeMayBeDestroyedInsideItsCallbacks) {
    RawPeer peer([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
        testing::read_all(fd);
    });
    bool called = false;
    int chunks = 0;
    std::unique_ptr<core::HttpExchange> handle;
    auto guard = std::make_shared<int>(7);
    handle = client->send(
        get(peer.url()), [&](testing::Answer) { called = true; },
        [&, guard](std::string_view) {
            ++chunks;
            handle.reset();
            EXPECT_EQ(*guard, 7);
        });
    guard.reset();
    ASSERT_TRUE(run_until(loop, [&] { return chunks == 1 && client->connections() == 0; }));
    EXPECT_FALSE(called);

    RawPeer good([&](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, ok_abc);
    });
    handle = client->send(get(good.url()), [&](testing::Answer) {
        handle.reset();
        called = true;
    });
    EXPECT_TRUE(run_until(loop, [&] { return called; }));
}

TEST_F(HttpClientTest, TheClientMayBeDestroyedWithExchangesInFlight) {
    RawPeer peer([&](int fd) { testing::read_all(fd); });
    bool called = false;
    auto handle = client->send(get(peer.url()), [&](testing::Answer) { called = true; });
    ASSERT_TRUE(run_until(loop, [&] { return peer.accepted() == 1; }));
    client.reset();
    handle.reset();
    loop.run_for(20ms);
    EXPECT_FALSE(called);
}

TEST_F(HttpClientTest, MoreExchangesThanConnectionsWaitTheirTurn) {
    HttpClientOptions options;
    options.per_host_max = 2;
    client = std::make_unique<HttpClient>(loop, options);
    std::size_t most = 0;
    HttpServer* seen = nullptr;
    HttpServer server(loop, [&](ServerRequest, HttpServer::Respond respond) {
        most = std::max(most, seen->connections());
        respond({});
    });
    seen = &server;
    const auto port = server.listen_tcp("127.0.0.1", 0).value();
    int answers = 0;
    std::vector<std::unique_ptr<core::HttpExchange>> handles;
    for (int i = 0; i < 50; ++i) {
        handles.push_back(client->send(get("http://localhost:" + std::to_string(port) + "/"),
                                       [&](testing::Answer a) { answers += std::holds_alternative<HttpResponse>(a); }));
    }
    handles[30].reset();
    EXPECT_TRUE(run_until(loop, [&] { return answers == 49; })) << answers;
    EXPECT_EQ(most, 2u);
    EXPECT_EQ(client->connections_made(), 2u);
}

TEST_F(HttpClientTest, TheTotalBoundClosesIdleConnectionsOfOthers) {
    HttpClientOptions options;
    options.total_max = 2;
    client = std::make_unique<HttpClient>(loop, options);
    const auto serve = [](int fd) {
        read_until(fd, "\r\n\r\n");
        write_all(fd, ok_abc);
        testing::read_all(fd);
    };
    RawPeer a(serve), b(serve), c(serve);
    EXPECT_EQ(response_of(get(a.url())).body, "abc");
    EXPECT_EQ(response_of(get(b.url())).body, "abc");
    EXPECT_EQ(response_of(get(c.url())).body, "abc");
    EXPECT_EQ(client->connections(), 2u);

    // All in use: the third waits until one is free, also when it belongs to another host.
    int answers = 0;
    std::vector<std::unique_ptr<core::HttpExchange>> handles;
    RawPeer d(serve), e(serve), f(serve);
    for (const RawPeer* peer : {&d, &e, &f}) {
        handles.push_back(client->send(get(peer->url()), [&](testing::Answer answer) {
            answers += std::holds_alternative<HttpResponse>(answer);
        }));
    }
    EXPECT_TRUE(run_until(loop, [&] { return answers == 3; }));
}

TEST_F(HttpClientTest, AWaitingExchangeTimesOutUnsent) {
    HttpClientOptions options;
    options.per_host_max = 1;
    client = std::make_unique<HttpClient>(loop, options);
    RawPeer peer([&](int fd) { testing::read_all(fd); });
    auto first = client->send(get(peer.url()), [](testing::Answer) {});
    HttpRequest second = get(peer.url());
    second.timeout = 20ms;
    const NetError error = error_of(second);
    EXPECT_EQ(error.kind, NetError::Kind::timeout);
    EXPECT_FALSE(error.sent);
}

}  // namespace
}  // namespace pawl::net
