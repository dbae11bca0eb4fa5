// TLS to RabbitMQ and PostgreSQL: what passes, what is refused, and what is said of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/error.h"
#include "host/base/temporary_directory.h"
#include "host/broker/broker.h"
#include "host/store/store.h"
#include "tests/support/certificates.h"
#include "tests/support/database.h"
#include "tests/support/eventually.h"
#include "tests/support/process.h"
#include "tests/support/servers.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::Eventually;
using test::KeyPair;
using test::Process;
using test::Server;
using test::Servers;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kProgram = IQ_BINARY_DIR "/iq";
constexpr const char* kHere = "IP:127.0.0.1,DNS:localhost";
constexpr auto kPatience = 30s;

// What the servers show, all but one of them bad.
struct Certificates {
  explicit Certificates(const std::string& directory)
      : authority(directory, "authority"), stranger(directory, "stranger") {}

  test::CertificateAuthority authority;
  test::CertificateAuthority stranger;
  KeyPair good = authority.Issue({.name = "good", .alternative_names = kHere});
  KeyPair expired =
      authority.Issue({.name = "expired", .alternative_names = kHere, .lifetime = -1h});
  KeyPair misnamed = authority.Issue({.name = "misnamed", .alternative_names = "DNS:db.example"});
  KeyPair untrusted = stranger.Issue({.name = "untrusted", .alternative_names = kHere});
  KeyPair client = authority.Issue({.name = "client"});
};

struct World {
  TemporaryDirectory directory{"iq-tls"};
  Certificates certificates{directory.path().string()};
  Servers servers{{Server::kPostgres, Server::kRabbit},
                  test::ServerTls{certificates.good, certificates.authority.file()}};
};

struct CliResult {
  int status = -1;
  std::string out;
  std::string err;
};

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Lines that hold each of `parts`.
std::size_t CountLines(const std::string& text, const std::vector<std::string_view>& parts) {
  const auto lines = LinesOf(text);
  return static_cast<std::size_t>(std::ranges::count_if(lines, [&](const std::string& line) {
    return std::ranges::all_of(
        parts, [&](std::string_view part) { return line.find(part) != std::string::npos; });
  }));
}

class Tls : public ::testing::Test {
 protected:
  static World& world() {
    static World world;
    return world;
  }
  static Servers& servers() { return world().servers; }
  static const Certificates& certificates() { return world().certificates; }

  static std::string StorePort() {
    const std::string& url = servers().store_url();
    const auto colon = url.rfind(':') + 1;
    return url.substr(colon, url.find('/', colon) - colon);
  }
  static std::string BrokerUrl(std::string_view options, std::string_view password = "guest") {
    return fmt::format("amqps://guest:{}@127.0.0.1:{}/?{}", password, servers().broker_tls_port(),
                       options);
  }
  static std::string Trusting() { return "cacertfile=" + certificates().authority.file(); }
  static std::string StoreUrl(std::string_view password = "iq") {
    return fmt::format("postgresql://iq:{}@127.0.0.1:{}/iq?sslmode=verify-full&sslrootcert={}",
                       password, StorePort(), certificates().authority.file());
  }

  // What is said of the server; empty when it can be used.
  static std::string BrokerSays(const std::string& url) {
    try {
      (void)OpenBroker(url, "iq-test")->Inspect("q");
    } catch (const Unavailable& error) {
      return error.what();
    }
    return {};
  }
  static std::string StoreSays(const std::string& url) {
    try {
      (void)OpenStore(url)->Open(5s)->Query("SELECT 1", {});
    } catch (const Unavailable& error) {
      return error.what();
    }
    return {};
  }

  using Environment = std::vector<std::pair<std::string, std::string>>;

  // The variables of an iq that verifies both servers, unless the tests say otherwise.
  static Environment Variables(const std::string& broker_url = BrokerUrl(Trusting()),
                               const std::string& store_url = StoreUrl()) {
    return {{"IQ_BROKER_URL", broker_url},
            {"IQ_STORE_URL", store_url},
            {"IQ_LOCKS_URL", "local:" + Path("locks")}};
  }

  static std::string Path(const std::string& name) {
    return (world().directory.path() / name).string();
  }

  static std::unique_ptr<Process> StartIq(const std::vector<std::string>& args,
                                          Environment environment, const std::string& output) {
    std::ofstream(Path("config.yaml"))
        << "broker: {url: '${IQ_BROKER_URL:-}'}\nstore: {url: '${IQ_STORE_URL:-}'}\n"
           "locks: {url: '${IQ_LOCKS_URL:-}'}\nadmin: {listen: 'off'}\n"
           "plugins: {directory: " IQ_BINARY_DIR
           "/plugins, settings: {income: {open_accounts: true}}}\n";
    std::vector<std::string> argv{kProgram};
    argv.insert(argv.end(), args.begin(), args.end());
    argv.insert(argv.end(), {"--config", Path("config.yaml")});
    return std::make_unique<Process>(
        std::move(argv), test::ProcessOptions{.environment = std::move(environment),
                                              .without_environment = {"IQ_SQL_DIR"},
                                              .stdout_file = output + ".out",
                                              .stderr_file = output + ".err",
                                              .directory = world().directory.path().string()});
  }

  static CliResult Iq(const std::vector<std::string>& args, Environment environment = Variables()) {
    static int calls = 0;
    const std::string output = Path(fmt::format("cli-{}", ++calls));
    const auto status = StartIq(args, std::move(environment), output)->Wait(60s);
    return {status && status->code ? *status->code : -1, test::ReadFile(output + ".out"),
            test::ReadFile(output + ".err")};
  }

  // Doctor's row of one check.
  static json Diagnosis(const std::string& check, const Environment& environment) {
    const CliResult result = Iq({"doctor", "--json"}, environment);
    for (const std::string& line : LinesOf(result.out)) {
      json row = json::parse(line);
      if (row.at("check") == check) return row;
    }
    ADD_FAILURE() << "no row of " << check << " in\n" << result.out << result.err;
    return json::object();
  }

  static std::string Ask(const std::string& sql) {
    return test::Database(servers().store_url()).Value(sql);
  }
};

// A host in the background.
class TlsHost : public Tls {
 protected:
  void SetUp() override {
    servers().Show(certificates().good);
    const CliResult migrated = Iq({"migrate"});
    ASSERT_EQ(migrated.status, 0) << migrated.err;
    host_ = StartIq({"run"}, Variables(), Path(Name()));
    ASSERT_TRUE(Eventually(kPatience, [] { return CountLines(Log(), {"is ready"}) == 1; }))
        << Log();
  }

  void TearDown() override {
    if (host_ == nullptr) return;
    EXPECT_TRUE(host_->running()) << Log();
    host_->Signal(SIGTERM);
    EXPECT_EQ(host_->Wait(kPatience), test::ExitStatus{.code = 0}) << Log();
  }

  static std::string Name() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  static std::string Log() { return test::ReadFile(Path(Name() + ".err")); }

  static void ExpectIncome(int user) {
    const CliResult sent =
        Iq({"send", "--wait", "income", fmt::format("userId={}", user), "sum=1"});
    EXPECT_EQ(sent.status, 0) << sent.out << sent.err << Log();
    EXPECT_EQ(Ask(fmt::format("SELECT sum FROM balance WHERE user_id = {}", user)), "1000");
  }

 private:
  std::unique_ptr<Process> host_;
};

TEST_F(TlsHost, CarriesOutCommandsAndEveryConnectionIsOfTls) {
  ExpectIncome(1001);
  constexpr const char* kConnections =
      "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) "
      "WHERE application_name = 'iq' AND ";
  EXPECT_NE(Ask(std::string(kConnections) + "ssl AND version >= 'TLSv1.2'"), "0");
  EXPECT_EQ(Ask(std::string(kConnections) + "NOT ssl"), "0");
  const std::string connections =
      servers().Rabbitmqctl({"list_connections", "--silent", "--no-table-headers", "port", "ssl"});
  EXPECT_THAT(
      LinesOf(connections),
      AllOf(Not(IsEmpty()), testing::Each(fmt::format("{}\ttrue", servers().broker_tls_port()))));
}

TEST_F(TlsHost, OutlivesABadCertificateAndSaysSoOnce) {
  ExpectIncome(1002);
  const std::string server_log = servers().directory() + "/rabbitmq.log";
  servers().Show(certificates().expired);
  servers().Rabbitmqctl({"close_all_connections", "a test"});
  const auto refusals = [&] {
    return CountLines(test::ReadFile(server_log), {"TLS server:", "ALERT: Fatal"});
  };
  const auto before = refusals();
  EXPECT_TRUE(Eventually(kPatience, [&] { return refusals() >= before + 3; })) << Log();
  // An idle host asks its database every few seconds.
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return CountLines(Log(), {"postgresql at", "has expired"}) != 0;
  })) << Log();
  servers().Show(certificates().good);
  ExpectIncome(1003);
  for (const char* const server : {"rabbitmq at", "postgresql at"}) {
    EXPECT_EQ(CountLines(Log(), {server, "is unavailable", "has expired", "; reconnecting"}), 1U)
        << Log();
  }
}

struct Bad {
  const char* name;
  KeyPair Certificates::*shown;
  std::string of_broker;
  std::string of_store;
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class BadCertificate : public Tls, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadCertificate, IsRefusedInOneLineThatDoctorShowsToo) {
  servers().Show(certificates().*GetParam().shown);
  const std::string broker_url = BrokerUrl(Trusting(), "s3cret");
  const std::string store_url = StoreUrl("s3cret");
  const std::string of_broker = BrokerSays(broker_url);
  const std::string of_store = StoreSays(store_url);
  const auto server = [](const char* kind, auto port) {
    return HasSubstr(fmt::format("{} at 127.0.0.1:{}", kind, port));
  };
  EXPECT_THAT(of_broker,
              AllOf(server("rabbitmq", servers().broker_tls_port()),
                    HasSubstr(GetParam().of_broker), HasSubstr("; "), Not(HasSubstr("\n"))));
  EXPECT_THAT(of_store, AllOf(server("postgresql", StorePort()), HasSubstr(GetParam().of_store),
                              HasSubstr("; "), Not(HasSubstr("\n"))));
  EXPECT_THAT(of_broker + of_store, Not(HasSubstr("s3cret")));
  for (const auto& [check, line] : {std::pair("broker", of_broker), std::pair("store", of_store)}) {
    const json row = Diagnosis(check, Variables(broker_url, store_url));
    EXPECT_EQ(row.at("status"), "fail") << row;
    EXPECT_EQ(row.at("detail"), line);
    EXPECT_TRUE(row.at("mend").is_null()) << row;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadCertificate,
    ::testing::Values(
        Bad{"OfAnUnknownAuthority", &Certificates::untrusted,
            "its certificate goes back to CN=stranger, whom nothing here trusts (unable to get "
            "local issuer certificate); set cacertfile in broker.url",
            "its certificate goes back to CN=stranger, whom nothing here trusts (unable to get "
            "local issuer certificate); set sslrootcert in store.url"},
        Bad{"Expired", &Certificates::expired, "its certificate has expired on 20",
            "its certificate has expired on 20"},
        Bad{"OfAnotherHost", &Certificates::misnamed,
            "its certificate is for DNS:db.example and not for 127.0.0.1",
            "does not match host name \"127.0.0.1\"; write the host in store.url as the "
            "certificate has"}),
    [](const auto& bad) { return std::string(bad.param.name); });

TEST_F(Tls, IsUnverifiedOnlyWhereTheUrlSaysSo) {
  servers().Show(certificates().untrusted);
  EXPECT_EQ(BrokerSays(BrokerUrl("verify=verify_none")), "");
  EXPECT_THAT(BrokerSays(BrokerUrl("verify=verify_peer&" + Trusting())), HasSubstr("stranger"));
  EXPECT_THAT(BrokerSays(BrokerUrl(Trusting())), HasSubstr("stranger"));
  EXPECT_THAT(BrokerSays(BrokerUrl("")), HasSubstr("stranger"));
}

// A server that sends its authority along is not trusted for it.
TEST_F(Tls, TrustsNoAuthorityButThoseOfTheFile) {
  servers().Show(certificates().good);
  EXPECT_EQ(BrokerSays(BrokerUrl(Trusting())), "");
  EXPECT_THAT(BrokerSays(BrokerUrl("cacertfile=" + certificates().stranger.file())),
              HasSubstr("goes back to CN=authority, whom nothing here trusts"));
  EXPECT_EQ(StoreSays(StoreUrl()), "");
}

TEST_F(Tls, TrustsTheSystemsAuthoritiesWhereTheUrlNamesNone) {
  servers().Show(certificates().good);
  auto variables = Variables(BrokerUrl(""));
  EXPECT_THAT(Diagnosis("broker", variables).at("detail"), HasSubstr("CN=authority"));
  variables.emplace_back("SSL_CERT_FILE", certificates().authority.file());
  EXPECT_EQ(Diagnosis("broker", variables).at("status"), "ok");
}

TEST_F(Tls, VerifiesTheNameThatTheUrlGivesInsteadOfItsHost) {
  servers().Show(certificates().misnamed);
  EXPECT_EQ(BrokerSays(BrokerUrl(Trusting() + "&server_name_indication=db.example")), "");
  EXPECT_THAT(BrokerSays(BrokerUrl(Trusting() + "&server_name_indication=db.test")),
              HasSubstr("not for db.test"));
}

TEST_F(Tls, ShowsTheClientsCertificate) {
  servers().Show(certificates().good);
  const auto with = [](const KeyPair& own) {
    return BrokerUrl(
        fmt::format("{}&certfile={}&keyfile={}", Trusting(), own.certificate, own.key));
  };
  const auto broker = OpenBroker(with(certificates().client), "iq-test");
  const auto connected = broker->Subscribe("amq.topic", "#");
  EXPECT_THAT(servers().Rabbitmqctl({"list_connections", "--silent", "peer_cert_subject"}),
              HasSubstr("CN=client"));
  // The broker's alert may be lost when it closes the connection at once.
  EXPECT_THAT(BrokerSays(with(certificates().untrusted)),
              AnyOf(HasSubstr("unknown ca"), HasSubstr("SSL error")));
}

TEST_F(Tls, NamesAFileThatIsOfNoUse) {
  EXPECT_THAT(BrokerSays(BrokerUrl("cacertfile=/no/such.pem")),
              AllOf(HasSubstr("/no/such.pem: No such file"), HasSubstr("correct cacertfile")));
  EXPECT_THAT(BrokerSays(BrokerUrl(fmt::format("{}&certfile={}&keyfile={}", Trusting(),
                                               certificates().client.certificate,
                                               certificates().good.key))),
              AllOf(HasSubstr("client.pem"), HasSubstr("good.key"), HasSubstr("mismatch")));
}

TEST_F(Tls, IsMissedSoonWhereThePortIsOfTheOtherKind) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(
      BrokerSays(fmt::format("amqp://guest:s3cret@127.0.0.1:{}", servers().broker_tls_port())),
      AllOf(HasSubstr("a port for TLS needs amqps:// in broker.url"), Not(HasSubstr("s3cret"))));
  const std::string& plain = servers().broker_url();
  EXPECT_THAT(BrokerSays(fmt::format("amqps://guest:s3cret@127.0.0.1:{}",
                                     plain.substr(plain.rfind(':') + 1))),
              AllOf(HasSubstr("does not answer to TLS"), Not(HasSubstr("s3cret"))));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 15s);
}

TEST_F(Tls, CarriesManyLargeMessagesBothWays) {
  constexpr std::size_t kCount = 200;
  servers().Show(certificates().good);
  const auto broker = OpenBroker(BrokerUrl(Trusting()), "iq-test");
  Topology topology;
  topology.queues.push_back({"tls.large", {}, "consumers[0].queue_type"});
  broker->Declare(topology);
  const auto publisher = broker->OpenPublisher();
  const auto body = [](std::size_t i) {
    return std::string(100'000 + i, static_cast<char>('a' + i % 26));
  };
  for (std::size_t i = 0; i < kCount; ++i) {
    Message message;
    message.body = body(i);
    publisher->Publish({"", "tls.large"}, std::move(message), Publisher::Routing::kRequired);
  }
  const auto consumer = broker->Consume("tls.large", 50);
  std::size_t received = 0;
  EXPECT_TRUE(Eventually(kPatience, [&] {
    (void)publisher->Collect(10ms);
    for (const Delivery& delivery : consumer->Receive(50, 10ms)) {
      EXPECT_TRUE(delivery.message.body == body(received)) << received;
      ++received;
      consumer->Ack(delivery.epoch, delivery.tag, /*multiple=*/false);
    }
    return received == kCount && publisher->unconfirmed() == 0;
  }));
}

}  // namespace
}  // namespace iq
