// A host with one of the billing plugins, its tables, and a few accounts.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iq/testkit.h>

#include <fstream>
#include <iterator>
#include <map>
#include <ostream>
#include <string>

namespace iq::test {

using testkit::Outcome;

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A test fixture for `plugin`, with `settings` of it.
class BillingHost : public testing::Test {
 protected:
  explicit BillingHost(const std::string& plugin, std::map<std::string, std::string> settings = {},
                       std::uint32_t attempts = 1)
      : host_({.plugins = {IQ_BINARY_DIR "/plugins/" + plugin + ".so"},
               .settings = {{plugin, std::move(settings)}},
               .schema = {ReadText(IQ_SOURCE_DIR "/sql/billing/001_balance.sqlite.sql"),
                          "INSERT INTO balance (user_id, sum) VALUES (2, 10000), (3, 500)"},
               .attempts = attempts}) {}

  std::string Cell(const std::string& sql) {
    const testkit::Rows rows = host_.Query(sql);
    return rows.size() == 1 && rows[0].size() == 1 && rows[0][0] ? *rows[0][0] : "no single value";
  }
  std::string Balance(int user) {
    return Cell("SELECT sum FROM balance WHERE user_id = " + std::to_string(user));
  }
  std::string Logged() { return Cell("SELECT count(*) FROM transaction_log"); }

  testkit::Host host_;
};

MATCHER(IsDone, "") { return arg.outcome == "done"; }
MATCHER_P2(Is, outcome, code, "") { return arg.outcome == outcome && arg.code == code; }

}  // namespace iq::test

namespace iq::testkit {

inline void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << outcome.outcome << ' ' << outcome.code << ": " << outcome.reason;
}

}  // namespace iq::testkit
