// The page and its API (docs/api.md), on the endpoint of whoever serves it.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "host/admin/acts.h"
#include "host/admin/api.h"
#include "host/admin/commands_api.h"
#include "host/admin/dead_api.h"
#include "host/admin/live.h"
#include "host/admin/plugins_api.h"
#include "host/admin/rate_limit.h"
#include "host/admin/send_api.h"
#include "host/admin/visitors.h"
#include "host/broker/broker.h"
#include "host/config.h"
#include "host/store/store.h"

namespace httplib {
class Server;
struct Request;
struct Response;
}  // namespace httplib

namespace iq {

class Console {
 public:
  // So many requests are answered at a time, streams among them; others are told to come again.
  static constexpr std::size_t kAtWorkMax = 20;

  // All must outlive this object.
  Console(const Config& config, Broker& broker, Store& store);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console();

  // Adds the page and its API. This object must outlive the server.
  void AddRoutes(httplib::Server& server);

  // Ends the streams, stops what acts, and waits for it: call before the server is stopped.
  void Stop();

 private:
  using Json = nlohmann::ordered_json;
  using Answer = std::function<Json(const ApiRequest&)>;

  // What a visitor needs.
  enum class Right { kRead, kWrite };

  void AddPage(httplib::Server& server);
  void AddReads(httplib::Server& server);
  void AddActs(httplib::Server& server);
  void Get(httplib::Server& server, const std::string& pattern, Answer answer);
  void Post(httplib::Server& server, const std::string& pattern, Right right, Answer answer);

  void Answering(const httplib::Request& request, httplib::Response& response,
                 const std::function<void()>& work);
  ApiRequest Admit(const httplib::Request& request, Right right);
  ApiRequest AdmitPost(const httplib::Request& request, Right right);
  Json Session(const httplib::Request& request) const;
  void WatchLive(httplib::Response& response);
  void Send(const ApiRequest& request, httplib::Response& response);

  const Config& config_;
  Broker& broker_;
  Store& store_;
  const std::string locks_;
  Visitors visitors_;
  RateLimit reads_;
  RateLimit writes_;
  std::atomic<std::size_t> at_work_{0};
  Acts acts_;
  DeadApi dead_;
  CommandsApi commands_;
  PluginsApi plugins_;
  SendApi send_;
  Live live_;
};

}  // namespace iq
