// The broker within an SQLite file against a model of it, step by step.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <list>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/embedded_broker_fixture.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

// What the broker says against a list for each queue, step by step.
class Model {
 public:
  struct Entry {
    std::string body;
    bool redelivered = false;
    int holder = 0;
  };
  using Queue = std::list<Entry>;
  using Held = std::map<std::uint64_t, Entry*>;  // By tag.

  void Publish(const std::string& queue, const std::string& body) {
    queues_[queue].push_back({body});
  }
  std::vector<Entry*> Take(const std::string& queue, std::size_t max, int holder) {
    std::vector<Entry*> taken;
    for (Entry& entry : queues_[queue]) {
      if (taken.size() == max) break;
      if (entry.holder != 0) continue;
      entry.holder = holder;
      taken.push_back(&entry);
    }
    return taken;
  }
  void Remove(const std::string& queue, const Entry* entry) {
    queues_[queue].remove_if([&](const Entry& each) { return &each == entry; });
  }
  static void GiveBack(Entry* entry) {
    entry->holder = 0;
    entry->redelivered = true;
  }
  std::vector<std::string> Ready(const std::string& queue) {
    std::vector<std::string> bodies;
    for (Entry& entry : queues_[queue]) {
      if (entry.holder == 0) bodies.push_back(entry.body);
    }
    return bodies;
  }
  // A walk marks what it passes.
  void Walk(const std::string& queue) {
    for (Entry& entry : queues_[queue]) entry.redelivered |= entry.holder == 0;
  }

 private:
  std::map<std::string, Queue> queues_;
};

class EmbeddedModel : public test::EmbeddedTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  struct Client {
    std::unique_ptr<Consumer> consumer;
    std::string queue;
    int number = 0;
    Model::Held held;
  };
  static constexpr std::uint16_t kPrefetch = 7;

  unsigned Draw(unsigned below) {
    return std::uniform_int_distribution<>(0, int(below) - 1)(random_);
  }
  Client NewClient() {
    Client client;
    client.queue = Draw(2) == 0 ? "a" : "b";
    client.consumer = broker().Consume(client.queue, kPrefetch);
    client.number = ++last_number_;
    return client;
  }
  void Publish() {
    const unsigned kind = Draw(4);
    for (unsigned i = Draw(5); i > 0; --i) {
      const std::string body = std::to_string(++last_body_);
      const Address address = kind == 0   ? Address{"e", "x.y"}
                              : kind == 1 ? Address{"", "a"}
                              : kind == 2 ? Address{"", "b"}
                                          : Address{"e", "x"};
      publisher_->Publish(address, Text(body), Routing::kOptional);
      // "a" is bound with x.#, "b" with *.y.
      if (kind != 2) model_.Publish("a", body);
      if (kind == 0 || kind == 2) model_.Publish("b", body);
    }
    ASSERT_TRUE(ConfirmAll(*publisher_));
  }
  void Receive(Client& client) {
    const std::size_t max = Draw(10);
    const auto got = client.consumer->Receive(max, 0ms);
    const auto expected =
        model_.Take(client.queue, std::min(max, kPrefetch - client.held.size()), client.number);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].message.body, expected[i]->body);
      ASSERT_EQ(got[i].redelivered, expected[i]->redelivered);
      client.held[got[i].tag] = expected[i];
    }
  }
  void Ack(Client& client, bool multiple) {
    if (client.held.empty()) return;
    const auto chosen = std::next(client.held.begin(), Draw(unsigned(client.held.size())));
    client.consumer->Ack(client.consumer->epoch(), chosen->first, multiple);
    const auto first = multiple ? client.held.begin() : chosen;
    const auto end = std::next(chosen);
    for (auto each = first; each != end; ++each) model_.Remove(client.queue, each->second);
    client.held.erase(first, end);
  }
  void Requeue(Client& client) {
    if (client.held.empty()) return;
    const auto chosen = std::next(client.held.begin(), Draw(unsigned(client.held.size())));
    client.consumer->Requeue(client.consumer->epoch(), chosen->first);
    (void)client.consumer->Receive(0, 0ms);  // Writes it.
    Model::GiveBack(chosen->second);
    client.held.erase(chosen);
  }
  void Replace(Client& client) {
    client.consumer.reset();
    for (auto& [tag, entry] : client.held) Model::GiveBack(entry);
    client = NewClient();
  }
  void Walk() {
    const std::string queue = Draw(2) == 0 ? "a" : "b";
    ASSERT_EQ(Ready(queue), model_.Ready(queue));
    model_.Walk(queue);
  }
  void Step(Client& client) {
    switch (Draw(9)) {
      case 0:
      case 1:
      case 2:
        return Publish();
      case 3:
      case 4:
        return Receive(client);
      case 5:
        return Ack(client, Draw(2) == 0);
      case 6:
        return Requeue(client);
      case 7:
        return Draw(4) == 0 ? Replace(client) : Ack(client, true);
      default:
        return Walk();
    }
  }

  std::mt19937 random_{GetParam()};
  Model model_;
  std::unique_ptr<Publisher> publisher_;
  int last_number_ = 0;
  int last_body_ = 0;
};

TEST_P(EmbeddedModel, DoesWhatTheModelDoes) {
  DeclareExchange("e", "topic");
  for (const char* queue : {"a", "b"}) DeclareQueue(queue);
  Bind("e", "a", "x.#");
  Bind("e", "b", "*.y");
  publisher_ = broker().OpenPublisher();
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(NewClient());
  for (int step = 0; step < 1500 && !HasFatalFailure(); ++step) {
    SCOPED_TRACE(fmt::format("seed {}, step {}", GetParam(), step));
    Step(clients[Draw(3)]);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, EmbeddedModel, ::testing::Range(1U, 4U));

}  // namespace
}  // namespace iq
