#include "net/tls_client.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

namespace pawl::net {

namespace {

// A session is about 3 kB; a program that calls thousands of hosts must not keep them all.
constexpr std::size_t sessions_max = 256;

bool is_address(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> raw{};
    return inet_pton(AF_INET, host.c_str(), raw.data()) == 1 || inet_pton(AF_INET6, host.c_str(), raw.data()) == 1;
}

int host_key_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

int owner_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

}  // namespace

TlsClient::~TlsClient() {
    // Streams may outlive us in suspended reads; their context must not call back into a dead owner.
    if (context_) SSL_CTX_set_ex_data(context_->native_handle(), owner_index(), nullptr);
    for (const auto& [host, session] : sessions_) SSL_SESSION_free(session);
}

Result<void> TlsClient::open() {
    auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    SSL_CTX* raw = context->native_handle();
    ErrorCode ec;
    context->set_default_verify_paths(ec);
    if (!ec && !ca_file_.empty()) context->load_verify_file(ca_file_, ec);
    if (ec) return Error{Errc::bad_input, "cannot read the trusted certificates (" + ca_file_ + "): " + ec.message()};
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
    static constexpr std::array<unsigned char, 9> http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(raw, http_1_1.data(), http_1_1.size());
    // OpenSSL's own client cache cannot be looked up by host, so sessions come to us.
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_set_ex_data(raw, owner_index(), this);
    SSL_CTX_sess_set_new_cb(raw, &TlsClient::keep_session);
    context_ = std::move(context);
    return {};
}

// OpenSSL hands us one reference; returning 1 keeps it.
int TlsClient::keep_session(SSL* ssl, SSL_SESSION* session) {
    auto* self = static_cast<TlsClient*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), owner_index()));
    const auto* host_key = static_cast<const std::string*>(SSL_get_ex_data(ssl, host_key_index()));
    if (self == nullptr || host_key == nullptr) return 0;
    auto found = self->sessions_.find(*host_key);
    if (found == self->sessions_.end()) {
        if (self->sessions_.size() >= sessions_max) return 0;
        self->sessions_.emplace(*host_key, session);
        return 1;
    }
    SSL_SESSION_free(found->second);
    found->second = session;
    return 1;
}

Result<std::unique_ptr<TlsStream>> TlsClient::stream(TcpSocket& socket, const std::string& host,
                                                     const std::string& host_key) {
    if (!context_) {
        if (auto opened = open(); !opened) return opened.error();
    }
    auto stream = std::make_unique<TlsStream>(socket, *context_);
    SSL* ssl = stream->native_handle();
    bool set = true;
    if (is_address(host)) {
        set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
    } else {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        set = SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1;
    }
    // Without the check any certificate would do: better no connection.
    if (!set) return Error{Errc::bad_input, "cannot set up the certificate check for " + host};
    SSL_set_ex_data(ssl, host_key_index(), const_cast<std::string*>(&host_key));
    if (const auto found = sessions_.find(host_key); found != sessions_.end()) SSL_set_session(ssl, found->second);
    return stream;
}

void TlsClient::retire(TlsStream& stream) {
    SSL_set_shutdown(stream.native_handle(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

std::string TlsClient::failure_text(TlsStream& stream, const ErrorCode& ec) {
    const long verdict = SSL_get_verify_result(stream.native_handle());
    if (verdict != X509_V_OK) return std::string("certificate refused: ") + X509_verify_cert_error_string(verdict);
    return ec.message();
}

}  // namespace pawl::net
