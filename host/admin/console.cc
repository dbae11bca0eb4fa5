#include "host/admin/console.h"

#include <fmt/format.h>
#include <httplib.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "host/admin/page_files.h"
#include "host/admin/plugins_api.h"
#include "host/base/error.h"
#include "host/base/json_text.h"
#include "host/base/log.h"
#include "host/base/utf8.h"
#include "host/locks/locks.h"
#include "host/plugin_view.h"
#include "host/version.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kJson = "application/json";
constexpr int kInternalError = 500;
constexpr double kReadsASecond = 100;
constexpr double kWritesASecond = 50;
// The others of Console::kAtWorkMax are kept for streams, which have a limit of their own.
constexpr std::size_t kStreamsMax = Live::kViewersMax + SendApi::kSendingMax;
constexpr std::size_t kBodyBytesMax = 64 * 1024;

// Who comes through a proxy is somewhere else, wherever the proxy is.
Visit VisitOf(const httplib::Request& request) {
  const auto field = [&request](const char* name) { return request.get_header_value(name); };
  const bool forwarded = request.has_header("Forwarded") || request.has_header("X-Forwarded-For") ||
                         request.has_header("X-Real-IP");
  return {.remote_address = forwarded ? "" : request.remote_addr,
          .host = field("Host"),
          .authorization = field("Authorization"),
          .origin = field("Origin"),
          .fetch_site = field("Sec-Fetch-Site"),
          .content_type = field("Content-Type")};
}

std::string HostName() {
  constexpr std::size_t kNameMax = 256;
  std::array<char, kNameMax> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

// Not set_content(), which compresses: that takes longer than to send all of it.
void AnswerJson(const Json& value, httplib::Response& response) {
  const auto text = std::make_shared<const std::string>(JsonText(value));
  response.set_content_provider(
      text->size(), kJson, [text](std::size_t offset, std::size_t size, httplib::DataSink& sink) {
        return sink.write(text->data() + offset, size);
      });
}

void AnswerError(int status, const std::string& what, httplib::Response& response) {
  response.status = status;
  AnswerJson({{"error", what}}, response);
}

// Discarded where it is no JSON, or deeper than anything that is asked for: what walks through a
// document walks recursively.
nlohmann::json ParseShallow(const std::string& text) {
  constexpr int kDepthMax = 8;
  bool too_deep = false;
  auto parsed = nlohmann::json::parse(
      text,
      [&too_deep](int depth, nlohmann::json::parse_event_t /*event*/, nlohmann::json& /*value*/) {
        too_deep = too_deep || depth > kDepthMax;
        return depth <= kDepthMax;
      },
      false);
  return too_deep ? nlohmann::json(nlohmann::json::value_t::discarded) : parsed;
}

// A request that is being answered.
class AtWork {
 public:
  explicit AtWork(std::atomic<std::size_t>& all) : all_(all), count_(++all) {}
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;
  ~AtWork() { --all_; }

  // Those of that moment, with this one.
  std::size_t count() const { return count_; }

 private:
  std::atomic<std::size_t>& all_;
  const std::size_t count_;
};

// Nobody else would catch what Next() throws.
std::optional<Json> NextLine(SendApi::Sending& sending) {
  try {
    return sending.Next();
  } catch (const std::exception& error) {
    sending.End();
    return Json{{"error", error.what()}};
  }
}

void ServeFile(const PageFile& file, httplib::Response& response) {
  response.set_header("Cache-Control", "no-cache");
  // Not set_content(), which compresses: that takes longer than to send all of it.
  response.set_content_provider(
      file.contents.size(), std::string(MediaType(file.name)),
      [contents = file.contents](std::size_t offset, std::size_t size, httplib::DataSink& sink) {
        return sink.write(contents.data() + offset, size);
      });
}

}  // namespace

Console::Console(const Config& config, Broker& broker, Store& store)
    : config_(config),
      broker_(broker),
      store_(store),
      locks_(OpenLocks(config.locks.url, config.locks.lease)->name()),
      visitors_(config.admin),
      reads_(kReadsASecond, 2 * kReadsASecond),
      writes_(kWritesASecond, 2 * kWritesASecond),
      acts_(store),
      dead_(config, broker, acts_),
      commands_(config, store, dead_, acts_),
      plugins_(config),
      send_(config, broker, store, acts_),
      live_(config, broker, store, locks_, [this] { return dead_.Jobs(); }) {}

Console::~Console() { Stop(); }

void Console::Stop() {
  live_.Stop();
  dead_.Stop();
  send_.Stop();
}

void Console::AddRoutes(httplib::Server& server) {
  AddPage(server);
  AddReads(server);
  AddActs(server);
}

void Console::AddPage(httplib::Server& server) {
  // Without Cross-Origin-Opener-Policy, for which Chromium would throw away the process that it has
  // begun to show the page in: the first paint would come 130 ms later. What it would keep from
  // another site that has opened the page is the window's handle, with which that can be led
  // elsewhere; nothing can be read through it.
  server.set_default_headers(
      {{"Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
       {"X-Content-Type-Options", "nosniff"},
       {"Referrer-Policy", "no-referrer"},
       {"Cross-Origin-Resource-Policy", "same-origin"}});
  for (const PageFile& file : PageFiles()) {
    const bool start = file.name == "index.html";
    const std::string path = start ? "/" : fmt::format("/page/{}", file.name);
    server.Get(path, [&file](const httplib::Request&, httplib::Response& response) {
      ServeFile(file, response);
    });
  }
}

void Console::AddReads(httplib::Server& server) {
  server.Get("/api/session", [this](const httplib::Request& request, httplib::Response& response) {
    Answering(request, response, [&] { AnswerJson(Session(request), response); });
  });
  server.Get("/api/live", [this](const httplib::Request& request, httplib::Response& response) {
    Answering(request, response, [&] {
      Admit(request, Right::kRead);
      WatchLive(response);
    });
  });
  Get(server, "/api/plugins", [this](const ApiRequest&) { return plugins_.Describe(); });
  Get(server, "/api/commands",
      [this](const ApiRequest& request) { return commands_.Search(request); });
  Get(server, "/api/command",
      [this](const ApiRequest& request) { return commands_.Life(request); });
  Get(server, "/api/dead", [this](const ApiRequest& request) { return dead_.List(request); });
  Get(server, "/api/dead/letter",
      [this](const ApiRequest& request) { return dead_.Letter(request); });
  Get(server, R"(/api/jobs/([0-9a-f-]+))",
      [this](const ApiRequest& request) { return dead_.JobOf(request.path_part); });
  Get(server, "/api/audit", [this](const ApiRequest& request) { return acts_.List(request); });
}

void Console::AddActs(httplib::Server& server) {
  Post(server, "/api/explain", Right::kRead, [this](const ApiRequest& request) {
    return ViewExplanation(config_, request.BodyText("body"), request.BodyText("id"));
  });
  Post(server, "/api/seed", Right::kWrite,
       [this](const ApiRequest& request) { return send_.Seed(request); });
  Post(server, "/api/dead/retry", Right::kRead,
       [this](const ApiRequest& request) { return dead_.Begin(DeadAct::Kind::kRetry, request); });
  Post(server, "/api/dead/drop", Right::kRead,
       [this](const ApiRequest& request) { return dead_.Begin(DeadAct::Kind::kDrop, request); });
  Post(server, "/api/dead/edit", Right::kWrite,
       [this](const ApiRequest& request) { return dead_.Edit(request); });
  Post(server, R"(/api/jobs/([0-9a-f-]+)/stop)", Right::kRead,
       [this](const ApiRequest& request) { return dead_.StopJob(request); });
  server.Post("/api/send", [this](const httplib::Request& request, httplib::Response& response) {
    Answering(request, response, [&] { Send(AdmitPost(request, Right::kWrite), response); });
  });
}

void Console::Get(httplib::Server& server, const std::string& pattern, Answer answer) {
  server.Get(pattern, [this, answer = std::move(answer)](const httplib::Request& request,
                                                         httplib::Response& response) {
    Answering(request, response,
              [&] { AnswerJson(answer(Admit(request, Right::kRead)), response); });
  });
}

void Console::Post(httplib::Server& server, const std::string& pattern, Right right,
                   Answer answer) {
  server.Post(pattern, [this, right, answer = std::move(answer)](const httplib::Request& request,
                                                                 httplib::Response& response) {
    Answering(request, response, [&] { AnswerJson(answer(AdmitPost(request, right)), response); });
  });
}

// The one place that turns what went wrong into a status.
void Console::Answering(const httplib::Request& request, httplib::Response& response,
                        const std::function<void()>& work) {
  response.set_header("Cache-Control", "no-store");
  const AtWork busy(at_work_);
  try {
    if (busy.count() > kAtWorkMax - kStreamsMax) {
      throw ApiError(ApiError::kUnavailable, "too much is being asked at a time; try again");
    }
    work();
  } catch (const ApiError& error) {
    AnswerError(error.status(), error.what(), response);
  } catch (const UsageError& error) {
    AnswerError(ApiError::kWrong, error.what(), response);
  } catch (const Unavailable& error) {
    AnswerError(ApiError::kUnavailable, error.what(), response);
  } catch (const std::exception& error) {
    log::Warn(fmt::format("{}: {}", request.path, error.what()));
    AnswerError(kInternalError, error.what(), response);
  }
}

ApiRequest Console::Admit(const httplib::Request& request, Right right) {
  const Visit visit = VisitOf(request);
  RequireNotFromAnotherSite(visit);
  const Visitor visitor = visitors_.Recognize(visit);
  // Those who may act are not held up by those who only look.
  RateLimit& limit = visitor.may == Visitor::May::kWrite ? writes_ : reads_;
  if (!limit.Take()) throw ApiError(ApiError::kTooMany, "too many requests; wait a second");
  if (visitor.may == Visitor::May::kNothing) {
    throw ApiError(ApiError::kUnknownVisitor,
                   "sign in with a token; `iq token NAME` makes one for admin.tokens");
  }
  ApiRequest admitted;
  for (const auto& [name, value] : request.params) admitted.query.emplace(name, ValidUtf8(value));
  admitted.who = visitor.name;
  admitted.may_write = visitor.may == Visitor::May::kWrite;
  if (right == Right::kWrite) admitted.RequireMayWrite();
  if (request.matches.size() > 1) admitted.path_part = request.matches[1];
  return admitted;
}

ApiRequest Console::AdmitPost(const httplib::Request& request, Right right) {
  RequireJson(VisitOf(request));
  ApiRequest admitted = Admit(request, right);
  if (request.body.size() > kBodyBytesMax + BodyBytesMax(config_)) {
    throw ApiError(ApiError::kTooLarge, "the request is too large");
  }
  admitted.body = ParseShallow(request.body);
  if (!admitted.body.is_object()) {
    throw ApiError(ApiError::kWrong, "write a JSON object, not more than a few levels deep");
  }
  return admitted;
}

Json Console::Session(const httplib::Request& request) const {
  const Visitor visitor = visitors_.Recognize(VisitOf(request));
  const auto may = visitor.may;
  Json session{{"may", may == Visitor::May::kWrite  ? "write"
                       : may == Visitor::May::kRead ? "read"
                                                    : "none"},
               {"hasTokens", visitors_.have_tokens()}};
  if (may == Visitor::May::kNothing) return session;
  session["name"] = visitor.name.empty() ? Json() : Json(visitor.name);
  session["version"] = std::string(kVersion);
  session["host"] = HostName();
  session["broker"] = broker_.name();
  session["store"] = store_.name();
  session["locks"] = locks_;
  session["showBodies"] = config_.admin.show_bodies;
  session["deadLetterQueue"] = config_.dead_letter.queue;
  return session;
}

void Console::WatchLive(httplib::Response& response) {
  response.set_chunked_content_provider(
      "text/event-stream", [viewer = live_.Watch()](std::size_t, httplib::DataSink& sink) {
        // Nobody else would catch what leaves this function.
        try {
          const auto event = viewer->Next();
          return event && sink.write(event->data(), event->size());
        } catch (const std::exception& error) {
          log::Warn(fmt::format("/api/live: {}", error.what()));
          return false;
        }
      });
}

void Console::Send(const ApiRequest& request, httplib::Response& response) {
  response.set_chunked_content_provider(
      "application/x-ndjson",
      [sending = send_.Begin(request)](std::size_t, httplib::DataSink& sink) {
        const auto line = NextLine(*sending);
        if (!line) {
          sink.done();
          return true;
        }
        const std::string text = JsonText(*line) + '\n';
        return sink.write(text.data(), text.size());
      });
}

}  // namespace iq
