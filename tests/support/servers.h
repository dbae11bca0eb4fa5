// PostgreSQL, RabbitMQ and Redis of one test program's own.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/support/watchdog.h"

namespace iq::test {

enum class Server { kPostgres, kRabbit, kRedis };

// What servers that speak TLS show of themselves, and whose certificates they take from clients.
struct ServerTls {
  KeyPair server;
  std::string client_authorities;  // A file in PEM.
};

// Starts servers on free loopback ports with data in a new directory below /tmp, waits until they
// answer, and removes all of it at the end, also when the test program is killed. Every call throws
// std::runtime_error with the reason when it fails. Thread-safe.
class Servers {
 public:
  // With `tls`, PostgreSQL speaks it as well, and RabbitMQ on a port of its own.
  Servers(std::initializer_list<Server> which, const std::optional<ServerTls>& tls = std::nullopt);
  Servers(const Servers&) = delete;
  Servers& operator=(const Servers&) = delete;
  ~Servers();

  // As the environment variables of `iq` want them. Empty for a server that was not asked for.
  // They stay the same for the life of the object.
  const std::string& broker_url() const { return broker_url_; }
  const std::string& store_url() const { return store_url_; }
  const std::string& locks_url() const { return locks_url_; }

  std::uint16_t broker_tls_port() const;

  // Where data and logs are; postgres.log, rabbitmq.log and redis.log in it grow over restarts.
  const std::string& directory() const { return directory_; }

  void Start(Server server);   // On the same port and data; returns when it answers.
  void Stop(Server server);    // Orderly; returns when all its processes are gone.
  void Kill(Server server);    // SIGKILL to all its processes; returns when they are gone.
  void Pause(Server server);   // SIGSTOP to all its processes.
  void Resume(Server server);  // SIGCONT.

  // Has PostgreSQL, which is restarted for it, and RabbitMQ show another certificate.
  void Show(const KeyPair& server);

  // Has the broker write the declarations of queues, exchanges and bindings to disk. It does so
  // itself, but late (Erlang's disk_log delays writes by up to 2 s), and a Kill before that loses
  // them although they were confirmed, together with the messages in such a queue.
  void FlushDeclarations() const;

  // What `rabbitmqctl args…` prints.
  std::string Rabbitmqctl(const std::vector<std::string>& args) const;

 private:
  void CopyTls(const std::string& from, const std::string& name) const;
  std::string Run(std::vector<std::string> args) const;

  std::string directory_;
  std::unique_ptr<Watchdog> watchdog_;
  std::string broker_url_;
  std::string store_url_;
  std::string locks_url_;
  mutable std::atomic<unsigned> commands_{0};
};

}  // namespace iq::test
