// A collector of spans, as OpenTelemetry's: takes requests over HTTP and answers as a test wants.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace httplib {
class Server;
}

namespace iq::test {

// Thread-safe.
class OtlpCollector {
 public:
  struct Request {
    std::string path;
    std::string content_type;
    std::string api_key;  // Header x-api-key.
    std::string body;
    int status = 0;  // What it was answered; 0 while it hangs.
  };

  // Listens at `port` of 127.0.0.1; 0 for one that is free.
  explicit OtlpCollector(std::uint16_t port = 0);
  OtlpCollector(const OtlpCollector&) = delete;
  OtlpCollector& operator=(const OtlpCollector&) = delete;
  ~OtlpCollector();

  std::uint16_t port() const { return port_; }
  std::string url() const;  // For OTEL_EXPORTER_OTLP_ENDPOINT.

  // Of each request from now on; 200 at first.
  void Answer(int status);
  // Requests are taken and not answered, until the end.
  void Hang();

  // What has come, also what hangs or was refused.
  std::vector<Request> requests() const;

 private:
  int Take(Request request);

  std::unique_ptr<httplib::Server> server_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable released_;
  std::vector<Request> requests_;
  int status_ = 200;
  bool hangs_ = false;
  std::thread thread_;
};

}  // namespace iq::test
