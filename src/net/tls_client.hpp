// TLS as a client: what we verify, and the sessions we resume. For the .cpp files of src/net only.
#pragma once

#include "net/asio_types.hpp"

#include <pawl/result.hpp>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <map>
#include <memory>
#include <string>

namespace pawl::net {

using TlsStream = asio::ssl::stream<TcpSocket&>;

/// Owns the trust store, read at the first https call only (it costs 10 ms and 2 MB), and the newest session of
/// each host. Certificate chain and host name are always verified; TLS 1.2 is the oldest version.
class TlsClient {
public:
    /// `ca_file`: PEM file trusted beside the system's store; empty = none.
    explicit TlsClient(std::string ca_file) : ca_file_(std::move(ca_file)) {}
    ~TlsClient();
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;

    /// A stream over `socket` with SNI and host check set, ready for the hand-shake. `host_key` ("host:port") is
    /// where its session is kept; it must outlive the stream.
    /// Errors: `bad_input` when the trust store cannot be read.
    Result<std::unique_ptr<TlsStream>> stream(TcpSocket& socket, const std::string& host, const std::string& host_key);

    /// To be called before a stream goes: without a proper end OpenSSL would void its session, and we just close.
    static void retire(TlsStream& stream);

    /// Why the hand-shake of that stream failed, in words.
    static std::string failure_text(TlsStream& stream, const ErrorCode& ec);

private:
    Result<void> open();
    static int keep_session(SSL* ssl, SSL_SESSION* session);

    std::string ca_file_;
    std::unique_ptr<asio::ssl::context> context_;
    std::map<std::string, SSL_SESSION*, std::less<>> sessions_;
};

}  // namespace pawl::net
