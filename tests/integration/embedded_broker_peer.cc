// Another process on the broker's file, for the tests of the embedded broker. It does what its
// arguments say, writes a line to stdout for each step, and then waits to be killed.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "host/broker/broker.h"

namespace {

using namespace std::chrono_literals;

void Say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

[[noreturn]] void WaitToBeKilled() {
  for (;;) pause();
}

// Receives COUNT messages of QUEUE and holds them.
void Hold(iq::Broker& broker, const std::vector<std::string>& arguments) {
  const std::size_t count = std::stoul(arguments.at(1));
  const auto consumer = broker.Consume(arguments.at(0), static_cast<std::uint16_t>(count));
  for (std::size_t held = 0; held < count;) {
    for (const auto& delivery : consumer->Receive(count - held, 100ms)) {
      Say(delivery.message.body);
      ++held;
    }
  }
  WaitToBeKilled();
}

// Walks QUEUE to its end.
void Browse(iq::Broker& broker, const std::vector<std::string>& arguments) {
  const auto browser = broker.Browse(arguments.at(0));
  while (const auto delivery = browser->Next()) Say(delivery->message.body);
  Say("end");
  WaitToBeKilled();
}

// Listens to EXCHANGE, and has a reply queue.
void Listen(iq::Broker& broker, const std::vector<std::string>& arguments) {
  const auto subscriber = broker.Subscribe(arguments.at(0), "#");
  const auto replies = broker.OpenReplyQueue();
  Say(replies.name);
  WaitToBeKilled();
}

// Receives and acks what is in QUEUE, as it comes.
[[noreturn]] void Drain(iq::Broker& broker, const std::vector<std::string>& arguments) {
  const auto consumer = broker.Consume(arguments.at(0), 64);
  for (;;) {
    for (const auto& delivery : consumer->Receive(16, 100ms)) {
      Say(delivery.message.body);
      consumer->Ack(delivery.epoch, delivery.tag, true);
    }
  }
}

// Publishes 1, 2, 3, … to QUEUE and says which are confirmed.
[[noreturn]] void Publish(iq::Broker& broker, const std::vector<std::string>& arguments) {
  const auto publisher = broker.OpenPublisher();
  for (std::uint64_t number = 1;;) {
    for (int i = 0; i < 20; ++i) {
      iq::Message message;
      message.body = std::to_string(number++);
      publisher->Publish({"", arguments.at(0)}, std::move(message),
                         iq::Publisher::Routing::kRequired);
    }
    for (const auto confirmed : publisher->Collect(1s)) Say(std::to_string(confirmed));
  }
}

// Declares QUEUE, as many others do at this moment.
void Declare(iq::Broker& broker, const std::vector<std::string>& arguments) {
  iq::Topology topology;
  topology.queues.push_back({arguments.at(0), {}, "test"});
  broker.Declare(topology);
  Say("declared");
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, std::function<void(iq::Broker&, const std::vector<std::string>&)>>
      verbs{{"hold", Hold},   {"browse", Browse},   {"listen", Listen},
            {"drain", Drain}, {"publish", Publish}, {"declare", Declare}};
  if (argc < 3 || !verbs.contains(argv[1])) {
    fmt::print(stderr, "usage: embedded_broker_peer VERB PATH ARGUMENTS\n");
    return EXIT_FAILURE;
  }
  const auto broker = iq::OpenBroker(std::string("sqlite:") + argv[2], "peer");
  verbs.at(argv[1])(*broker, {argv + 3, argv + argc});
  return EXIT_SUCCESS;
}
