// The queues of the embedded profile, through the host's own driver: nothing else reads them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/broker/broker.h"
#include "tests/e2e/test_broker.h"
#include "tests/support/sqlite_file.h"

namespace iq::test {

class EmbeddedBroker : public TestBroker {
 public:
  explicit EmbeddedBroker(const std::string& path);

  void Publish(const std::vector<AmqpPublishing>& publishings) override;
  void PublishAtOnce(const std::vector<AmqpPublishing>& publishings, Process& host) override;
  std::string DeclareTemporaryQueue() override;
  void DeclareDurableQueue(const std::string& queue) override;
  void BindToEvents(const std::string& queue) override;
  std::vector<AmqpDelivery> Consume(const std::string& queue, std::size_t count,
                                    std::chrono::milliseconds deadline) override;
  std::size_t Depth(const std::string& queue) override;
  std::size_t Consumers(const std::string& queue) override;
  bool Drained() override;

 private:
  SqliteFile file_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Publisher> publisher_;
};

}  // namespace iq::test
