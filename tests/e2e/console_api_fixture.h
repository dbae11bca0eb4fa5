// A host whose page is asked as a browser asks it.
#pragma once

#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/admin_client.h"
#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {

inline constexpr std::chrono::seconds kPatience{30};
inline constexpr int kOk = 200;
inline constexpr int kWrong = 400;
inline constexpr int kUnknownVisitor = 401;
inline constexpr int kForbidden = 403;
inline constexpr int kLengthRequired = 411;
inline constexpr int kNothingThere = 404;
inline constexpr int kDoesNotFit = 409;
inline constexpr int kTooLarge = 413;
inline constexpr int kTooMany = 429;
inline constexpr int kUnavailable = 503;

using Fields = httplib::Headers;

inline Fields By(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

inline Fields With(Fields fields, const std::string& name, const std::string& value) {
  fields.erase(name);
  fields.emplace(name, value);
  return fields;
}

struct Answer {
  int status = 0;
  std::string text;
  Fields fields;

  nlohmann::json Json() const { return nlohmann::json::parse(text, nullptr, false); }
  std::string Error() const { return Json().value("error", std::string()); }
  std::string Field(const std::string& name) const {
    const auto field = fields.find(name);
    return field == fields.end() ? "" : field->second;
  }
};

inline Answer AnswerOf(const httplib::Result& result) {
  if (!result) return {};
  return {result->status, result->body, result->headers};
}

inline std::vector<nlohmann::json> JsonLines(const std::string& text) {
  std::vector<nlohmann::json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

inline std::vector<std::string> Texts(const nlohmann::json& objects, const char* member) {
  std::vector<std::string> texts;
  for (const nlohmann::json& object : objects) texts.push_back(object.at(member));
  return texts;
}

class ConsoleApiTest : public testing::Test {
 protected:
  explicit ConsoleApiTest(const std::string& more = "") : iq_(Options(more)) {
    for (const std::int64_t user : {1, 2}) iq_.OpenAccount(user, 100'000);
    iq_.StartHosts();
    port_ = AdminPorts(iq_).at(0);
  }
  ~ConsoleApiTest() override { iq_.StopHosts(); }

  static InstallationOptions Options(const std::string& more) {
    InstallationOptions options;
    options.admin = AdminSettings() + (more.empty() ? "" : ", " + more);
    return options;
  }

  Answer Get(const std::string& path, const Fields& fields = {}) const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(kPatience);
    return AnswerOf(client.Get(path, fields));
  }

  Answer PostText(const std::string& path, const std::string& text, const Fields& fields = {},
                  const std::string& content_type = "application/json") const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(kPatience);
    return AnswerOf(client.Post(path, fields, text, content_type));
  }

  Answer Post(const std::string& path, const nlohmann::json& body,
              const Fields& fields = {}) const {
    return PostText(path, body.dump(), fields);
  }

  // The stream's first events, [name, data].
  std::vector<std::pair<std::string, nlohmann::json>> FirstEvents(std::size_t count) const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(kPatience);
    std::string text;
    std::vector<std::pair<std::string, nlohmann::json>> events;
    client.Get("/api/live", [&](const char* data, std::size_t size) {
      text.append(data, size);
      for (auto end = text.find("\n\n"); end != std::string::npos; end = text.find("\n\n")) {
        AddEvent(text.substr(0, end), events);
        text.erase(0, end + 2);
      }
      return events.size() < count;
    });
    return events;
  }

  static void AddEvent(const std::string& lines,
                       std::vector<std::pair<std::string, nlohmann::json>>& events) {
    const std::string name_begin = "event: ";
    const std::string data_begin = "\ndata: ";
    const auto data = lines.find(data_begin);
    ASSERT_TRUE(lines.starts_with(name_begin) && data != std::string::npos) << lines;
    events.emplace_back(lines.substr(name_begin.size(), data - name_begin.size()),
                        nlohmann::json::parse(lines.substr(data + data_begin.size())));
  }

  // A command that is refused for want of money.
  void Bury(const std::string& id) {
    iq_.SendWithId(id, Body("withdraw", 1, "900000"));
    iq_.ExpectDead(1);
  }

  std::vector<TestStore::Row> Acts() {
    return iq_.store().Rows(
        "SELECT who, action, coalesce(about, ''), state, coalesce(result, '') FROM iq.audit "
        "ORDER BY id");
  }

  // The job once it has ended.
  nlohmann::json Ended(const nlohmann::json& job) const {
    nlohmann::json now = job;
    EXPECT_TRUE(Eventually(kPatience, [&] {
      now = Get("/api/jobs/" + job.at("id").get<std::string>()).Json();
      return now.value("state", "running") != "running";
    })) << now;
    return now;
  }

  Installation iq_;
  int port_ = 0;
};

// Asks again and again for a status, until it says that it is asked too often.
template <typename F>
bool BecomesTooMany(F ask) {
  constexpr int kTries = 5'000;
  for (int i = 0; i < kTries; ++i) {
    if (ask() == kTooMany) return true;
  }
  return false;
}

}  // namespace iq::test
