#include "tests/e2e/conformance_fixture.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sstream>
#include <utility>

#include "tests/e2e/commands.h"

namespace iq::test {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

bool OnServers() { return ChosenProfile() == ProfileName::kServers; }

InstallationOptions ConformanceOptions(const std::filesystem::path& plugins) {
  InstallationOptions options;
  options.plugins = plugins;
  options.plugin_settings = fmt::format(
      "{{conformance: {{plain: some text, empty: '', number: 17, nested: {{deeper: {{still: "
      "'yes'}}}}, types: {{bytes: {}, arrays: '{}'}}}}, other: {{secret: x}}}}",
      OnServers() ? "bytea" : "blob", OnServers() ? "yes" : "no");
  options.retry = fmt::format("attempts: {}, delays: [50ms, 100ms]", kAttemptsMax);
  return options;
}

std::string CheckBody(const std::string& name, std::int64_t user, json details) {
  details["check"] = name;
  return Body(kConformanceType, user, "1", details.dump());
}

std::vector<json> SaidByPlugin(const std::string& log) {
  std::vector<json> records;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (record.is_object() && record.value("plugin", "") == "conformance") {
      records.push_back(std::move(record));
    }
  }
  return records;
}

void ConformanceTest::SetUpTestSuite() {
  plugins_ = std::make_unique<PluginFolder>(std::initializer_list<const char*>{"conformance.so"});
  iq_ = std::make_unique<Installation>(ConformanceOptions(plugins_->path()));
  iq_->StartHosts();
}

void ConformanceTest::TearDownTestSuite() {
  iq_->StopHosts();
  EXPECT_THAT(iq_->Log(), Not(HasSubstr("violated: ")));
  iq_.reset();
  plugins_.reset();
}

std::int64_t ConformanceTest::NewUser() {
  static std::int64_t last = 1000;
  iq().OpenAccount(++last, 0);
  return last;
}

std::string ConformanceTest::End::Header(const std::string& name) const {
  const auto header = dead.properties.headers.find(name);
  return header == dead.properties.headers.end() ? "" : header->second;
}

ConformanceTest::End ConformanceTest::EndOf(const std::string& body, AmqpProperties properties) {
  iq().Send(body, std::move(properties));
  End end;
  for (;;) {
    const auto events = iq().NextEvents(1);
    if (events.empty()) {
      ADD_FAILURE() << "no end of " << body << "\n" << iq().Log();
      return end;
    }
    json event = json::parse(events[0].body);
    const std::string name = event["event"];
    if (name == kConformed || name == "command.rejected" || name == "command.failed") {
      end.event = std::move(event);
      if (name != kConformed) end.dead = iq().NextDead();
      return end;
    }
    end.announced.push_back(std::move(event));
  }
}

ConformanceTest::End ConformanceTest::ExpectConforms(const std::string& body,
                                                     AmqpProperties properties) {
  SCOPED_TRACE(body);
  End end = EndOf(body, std::move(properties));
  EXPECT_EQ(end.event["event"], kConformed) << end.event;
  EXPECT_GT(end.event["data"].value("clauses", 0), 0);
  return end;
}

ConformanceTest::End ConformanceTest::ExpectEnds(const std::string& check, const json& details,
                                                 const std::string& outcome,
                                                 const std::string& code) {
  const std::int64_t user = NewUser();
  const std::string body = CheckBody(check, user, details);
  SCOPED_TRACE(body);
  AmqpProperties properties;
  properties.message_id = NewId();
  End end = EndOf(body, properties);
  const auto attempts = static_cast<std::size_t>(outcome == "rejected" ? 1 : kAttemptsMax);
  EXPECT_EQ(end.outcome(), outcome) << end.event;
  EXPECT_EQ(end.code(), code) << end.event;
  EXPECT_EQ(end.Header("x-iq-attempts"), std::to_string(attempts));
  EXPECT_EQ(TimesConformed(properties.message_id), attempts);
  EXPECT_EQ(end.announced.size(), 0U) << "an event of what was not done";
  EXPECT_EQ(iq().Balance(user), 0) << "a write of what was not done";
  return end;
}

std::size_t ConformanceTest::TimesConformed(const std::string& id) {
  std::size_t times = 0;
  for (const json& record : SaidByPlugin(iq().Log())) {
    if (record.value("id", "") != id) continue;
    const std::string message = record["message"];
    EXPECT_THAT(message, Not(HasSubstr("violated: ")));
    if (message.ends_with("clauses hold")) ++times;
  }
  return times;
}

}  // namespace iq::test
