// What an installation of iq stands on: the one thing that differs between runs of a test.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "tests/e2e/test_broker.h"
#include "tests/e2e/test_store.h"

namespace iq::test {

// A lock key that a stranger holds for as long as this object lives.
class ForeignLock {
 public:
  ForeignLock() = default;
  ForeignLock(const ForeignLock&) = delete;
  ForeignLock& operator=(const ForeignLock&) = delete;
  virtual ~ForeignLock() = default;

  // False when somebody took or freed it meanwhile.
  virtual bool Held() = 0;
};

class Profile {
 public:
  // As in the environment of `iq`. Empty: the variable is not set.
  struct Urls {
    std::string broker;
    std::string store;
    std::string locks;
  };

  Profile() = default;
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  virtual ~Profile() = default;

  // Removes what earlier installations have left.
  virtual void Clear() = 0;

  virtual Urls urls() const = 0;
  // As many processes as it is meant to carry.
  virtual std::size_t hosts_max() const = 0;

  virtual std::unique_ptr<TestBroker> OpenBroker() = 0;
  virtual std::unique_ptr<TestStore> OpenStore() = 0;
  // Fails the test when the key is taken.
  virtual std::unique_ptr<ForeignLock> HoldLock(const std::string& key) = 0;
};

enum class ProfileName {
  kServers,   // RabbitMQ, PostgreSQL and Redis of the test program's own.
  kEmbedded,  // Nothing is configured: one SQLite file below the installation's directory.
};

// What the environment variable IQ_TEST_PROFILE says: servers (the default) or embedded.
ProfileName ChosenProfile();

// `directory` is the installation's own, in which its processes run.
std::unique_ptr<Profile> OpenProfile(ProfileName name, const std::string& directory);

}  // namespace iq::test
