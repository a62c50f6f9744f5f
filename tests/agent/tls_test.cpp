// The client's side of TLS against a real server with certificates made here.
#include "net/http_client.hpp"

#include "support/net_loop.hpp"

#include <gtest/gtest.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <csignal>
#include <fstream>

namespace pawl::net {
namespace {

using core::HttpRequest;
using core::HttpResponse;
using core::NetError;
using testing::exchange;
using testing::RawPeer;
using testing::TempDir;

struct Certificate {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();

    /// Self-signed, so that the file of it is its own CA. `days` may be negative: expired.
    Certificate(const char* names, int days) {
        X509_set_version(cert, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
        X509_gmtime_adj(X509_getm_notBefore(cert), -86'400L * 10);
        X509_gmtime_adj(X509_getm_notAfter(cert), 86'400L * days);
        X509_set_pubkey(cert, key);
        X509_NAME* name = X509_get_subject_name(cert);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("pawl test"), -1,
                                   -1, 0);
        X509_set_issuer_name(cert, name);
        X509_EXTENSION* names_extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
        X509_add_ext(cert, names_extension, -1);
        X509_EXTENSION_free(names_extension);
        X509_sign(cert, key, EVP_sha256());
    }
    ~Certificate() {
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    void save(const std::string& path) const {
        FILE* file = std::fopen(path.c_str(), "w");
        PEM_write_X509(file, cert);
        std::fclose(file);
    }
};

/// Serves "abc" over TLS, as often as asked on each connection.
class TlsPeer {
public:
    explicit TlsPeer(const Certificate& certificate, int newest = TLS1_3_VERSION) {
        SSL_CTX_use_certificate(context_, certificate.cert);
        SSL_CTX_use_PrivateKey(context_, certificate.key);
        SSL_CTX_set_max_proto_version(context_, newest);
        if (newest < TLS1_2_VERSION) {
            SSL_CTX_set_min_proto_version(context_, newest);
            SSL_CTX_set_security_level(context_, 0);
        }
    }
    ~TlsPeer() {
        peer_.reset();
        SSL_CTX_free(context_);
    }
    std::string url(const std::string& host) const {
        return "https://" + host + ":" + std::to_string(peer_->port()) + "/";
    }
    int resumed() const { return resumed_; }
    std::string server_name() const { return server_name_; }
    bool cut_short = false;

private:
    void serve(int fd) {
        // OpenSSL writes with plain write(): to a client that left first it must not end the test. This thread only.
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
        SSL* ssl = SSL_new(context_);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
            resumed_ += SSL_session_reused(ssl);
            if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) server_name_ = name;
            std::array<char, 4096> bytes{};
            while (SSL_read(ssl, bytes.data(), static_cast<int>(bytes.size())) > 0) {
                const std::string_view answer =
                    cut_short ? "HTTP/1.1 200 OK\r\n\r\nab" : "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
                SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
                if (cut_short) break;
            }
        }
        SSL_free(ssl);
    }
    SSL_CTX* context_ = SSL_CTX_new(TLS_server_method());
    std::atomic<int> resumed_{0};
    std::string server_name_;
    std::unique_ptr<RawPeer> peer_ = std::make_unique<RawPeer>([this](int fd) { serve(fd); });
};

struct Tls : ::testing::Test {
    boost::asio::io_context loop{1};
    TempDir dir;
    Certificate certificate{"DNS:localhost,IP:127.0.0.1", 10};

    HttpClient trusting(const Certificate& other) {
        other.save(dir.path("ca.pem"));
        HttpClientOptions options;
        options.ca_file = dir.path("ca.pem");
        options.idle_close = core::Micros{0};  // the peer serves one connection at a time
        return HttpClient(loop, options);
    }
    static HttpRequest get(const std::string& url) {
        HttpRequest request;
        request.method = "GET";
        request.url = url;
        return request;
    }
    std::string refusal(HttpClient& client, const std::string& url) {
        const auto answer = exchange(loop, client, get(url));
        if (!std::holds_alternative<NetError>(answer)) return "accepted";
        const auto& error = std::get<NetError>(answer);
        EXPECT_EQ(error.kind, NetError::Kind::connect);
        EXPECT_FALSE(error.sent);
        return error.message;
    }
};

TEST_F(Tls, ATrustedServerIsCalledByNameAndByAddress) {
    TlsPeer peer(certificate);
    HttpClient client = trusting(certificate);
    for (const char* host : {"localhost", "127.0.0.1"}) {
        const auto answer = exchange(loop, client, get(peer.url(host)));
        ASSERT_TRUE(std::holds_alternative<HttpResponse>(answer)) << std::get<NetError>(answer).message;
        EXPECT_EQ(std::get<HttpResponse>(answer).body, "abc");
    }
    EXPECT_EQ(peer.server_name(), "localhost") << "an address is no server name";
}

TEST_F(Tls, AnUntrustedCertificateIsRefused) {
    TlsPeer peer(certificate);
    HttpClient client(loop);
    EXPECT_NE(refusal(client, peer.url("localhost")).find("certificate refused: self-signed"), std::string::npos);
}

TEST_F(Tls, ACertificateForAnotherNameIsRefused) {
    const Certificate other("DNS:example.com,IP:127.0.0.2", 10);
    TlsPeer peer(other);
    HttpClient client = trusting(other);
    EXPECT_NE(refusal(client, peer.url("localhost")).find("hostname mismatch"), std::string::npos);
    EXPECT_NE(refusal(client, peer.url("127.0.0.1")).find("IP address mismatch"), std::string::npos);
}

TEST_F(Tls, AnExpiredCertificateIsRefused) {
    const Certificate expired("DNS:localhost", -1);
    TlsPeer peer(expired);
    HttpClient client = trusting(expired);
    EXPECT_NE(refusal(client, peer.url("localhost")).find("expired"), std::string::npos);
}

TEST_F(Tls, OldVersionsAreRefused) {
    TlsPeer peer(certificate, TLS1_1_VERSION);
    HttpClient client = trusting(certificate);
    EXPECT_NE(refusal(client, peer.url("localhost")).find("TLS"), std::string::npos);
}

TEST_F(Tls, APlainServerIsRefused) {
    RawPeer peer([](int fd) { testing::write_all(fd, "HTTP/1.1 400 Bad Request\r\n\r\n"); });
    HttpClient client(loop);
    EXPECT_NE(refusal(client, "https://localhost:" + std::to_string(peer.port()) + "/"), "accepted");
}

TEST_F(Tls, ASecondConnectionResumesTheSession) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsPeer peer(certificate, version);
        HttpClient client = trusting(certificate);
        for (int i = 0; i < 3; ++i) exchange(loop, client, get(peer.url("localhost")));
        EXPECT_EQ(client.connections_made(), 3u);
        EXPECT_EQ(peer.resumed(), 2) << version;
    }
}

TEST_F(Tls, ABodyCutWithoutCloseNotifyIsNotTakenForWhole) {
    TlsPeer peer(certificate);
    peer.cut_short = true;
    HttpClient client = trusting(certificate);
    const auto answer = exchange(loop, client, get(peer.url("localhost")));
    ASSERT_TRUE(std::holds_alternative<NetError>(answer));
    EXPECT_EQ(std::get<NetError>(answer).kind, NetError::Kind::reset);
}

TEST_F(Tls, AMissingTrustFileIsAConnectErrorThatNamesIt) {
    HttpClientOptions options;
    options.ca_file = dir.path("none.pem");
    HttpClient client(loop, options);
    TlsPeer peer(certificate);
    EXPECT_NE(refusal(client, peer.url("localhost")).find("none.pem"), std::string::npos);
}

}  // namespace
}  // namespace pawl::net
