// A broker within a file of the test's own, and the few words its tests are written in.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/broker/broker.h"
#include "host/sqlite/database.h"
#include "tests/support/eventually.h"
#include "tests/support/process.h"

namespace iq::test {

class EmbeddedTest : public ::testing::Test {
 protected:
  static constexpr std::chrono::seconds kDeadline{30};
  using Routing = Publisher::Routing;

  EmbeddedTest() : directory_(MakeDirectory()), broker_(OpenAnother()) {}
  ~EmbeddedTest() override {
    broker_.reset();
    std::filesystem::remove_all(directory_);
  }

  Broker& broker() { return *broker_; }
  const std::string& directory() const { return directory_; }
  std::string path() const { return directory_ + "/iq.db"; }
  // The same file, as another process would open it.
  std::unique_ptr<Broker> OpenAnother() const { return OpenBroker("sqlite:" + path(), "iq-test"); }
  // For a look into the tables, and for tampering with them.
  sqlite::Database File() const {
    return {path(), sqlite::Database::Sync::kLater, std::chrono::seconds{5}};
  }

  // Ends a transaction that others wait for, after they have had the time to come to wait.
  static void CommitLater(sqlite::Database& file) {
    (void)Eventually(std::chrono::milliseconds{300}, [] { return false; });
    file.Commit();
  }

  std::string DeclareQueue(const std::string& name, Headers arguments = {}) {
    Topology topology;
    topology.queues.push_back({name, std::move(arguments), "consumers[0].queue_type"});
    broker().Declare(topology);
    return name;
  }
  // A queue whose messages go to `target` after `ttl`.
  std::string DeclareDelay(const std::string& name, std::int64_t ttl_ms,
                           const std::string& target) {
    return DeclareQueue(name, {{"x-queue-type", {std::string("quorum")}},
                               {"x-message-ttl", {ttl_ms}},
                               {"x-dead-letter-exchange", {std::string("")}},
                               {"x-dead-letter-routing-key", {target}},
                               {"x-dead-letter-strategy", {std::string("at-least-once")}},
                               {"x-overflow", {std::string("reject-publish")}}});
  }
  void DeclareExchange(const std::string& name, const std::string& type) {
    Topology topology;
    topology.exchanges.push_back({name, type, "events.exchange"});
    broker().Declare(topology);
  }
  void Bind(const std::string& exchange, const std::string& queue, const std::string& key) {
    Topology topology;
    topology.bindings.push_back({exchange, queue, key});
    broker().Declare(topology);
  }

  static Message Text(std::string body) {
    Message message;
    message.body = std::move(body);
    return message;
  }

  // Publishes, confirmed.
  void Send(const Address& address, Message message, Routing routing = Routing::kRequired) {
    const auto publisher = broker().OpenPublisher();
    publisher->Publish(address, std::move(message), routing);
    ASSERT_TRUE(ConfirmAll(*publisher));
  }
  void Fill(const std::string& queue, const std::vector<std::string>& bodies) {
    const auto publisher = broker().OpenPublisher();
    for (const auto& body : bodies) publisher->Publish({"", queue}, Text(body), Routing::kRequired);
    ASSERT_TRUE(ConfirmAll(*publisher));
  }
  static std::vector<std::string> Numbers(std::size_t count) {
    std::vector<std::string> numbers;
    for (std::size_t i = 1; i <= count; ++i) numbers.push_back(std::to_string(i));
    return numbers;
  }

  static bool ConfirmAll(Publisher& publisher) {
    return Eventually(kDeadline, [&] {
      (void)publisher.Collect(std::chrono::milliseconds{50});
      return publisher.unconfirmed() == 0;
    });
  }

  // Receives until there are `count` or the deadline has passed.
  static std::vector<Delivery> ReceiveSome(Consumer& consumer, std::size_t count) {
    std::vector<Delivery> all;
    (void)Eventually(kDeadline, [&] {
      for (auto& one : consumer.Receive(count - all.size(), std::chrono::milliseconds{20})) {
        all.push_back(std::move(one));
      }
      return all.size() >= count;
    });
    return all;
  }

  static std::vector<std::string> Bodies(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> bodies;
    for (const auto& delivery : deliveries) bodies.push_back(delivery.message.body);
    return bodies;
  }
  // What is ready in the queue, without taking it.
  std::vector<std::string> Ready(const std::string& queue) {
    std::vector<std::string> bodies;
    const auto browser = broker().Browse(queue);
    while (const auto delivery = browser->Next()) bodies.push_back(delivery->message.body);
    return bodies;
  }

  // Messages in the file, held or not.
  std::int64_t Messages() const {
    auto file = File();
    auto count = file.Prepare("SELECT count(*) FROM iq_broker_message");
    count.Step();
    return count.Integer(0);
  }

  // Takes the file away from its log, and puts it back.
  void MoveAway() const { std::filesystem::rename(path(), path() + ".away"); }
  void PutBack() const { std::filesystem::rename(path() + ".away", path()); }

  // Another process; what it says is in the file that LinesOf reads.
  struct Peer {
    std::string output;
    std::unique_ptr<Process> process;
  };
  Peer StartPeer(const std::string& verb, const std::vector<std::string>& arguments) {
    Peer peer{fmt::format("{}/peer-{}", directory_, ++peers_), nullptr};
    std::vector<std::string> argv{IQ_BINARY_DIR "/tests/integration/iq_embedded_broker_peer", verb,
                                  path()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    peer.process =
        std::make_unique<Process>(std::move(argv), ProcessOptions{.stdout_file = peer.output});
    return peer;
  }
  static std::vector<std::string> LinesOf(const Peer& peer) {
    const std::string text = ReadFile(peer.output);
    std::vector<std::string> lines;
    for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      lines.push_back(text.substr(begin, end - begin));
    }
    return lines;
  }
  static bool HasLines(const Peer& peer, std::size_t count) {
    return Eventually(kDeadline, [&] { return LinesOf(peer).size() >= count; });
  }

 private:
  static std::string MakeDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "iq-embedded-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no directory below /tmp";
    return name;
  }

  std::string directory_;
  int peers_ = 0;
  std::unique_ptr<Broker> broker_;
};

}  // namespace iq::test
