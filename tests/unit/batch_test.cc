#include "host/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <set>

namespace iq {
namespace {

using testing::ElementsAre;

class WavesTest : public testing::Test {
 protected:
  void Add(LockKeys keys) {
    Item& item = items_.emplace_back();
    item.command = std::make_unique<Command>(Payload::Parse("{}"));
    item.command->keys = std::move(keys);
  }
  std::vector<std::vector<std::size_t>> Waves() {
    pointers_.clear();
    for (Item& item : items_) pointers_.push_back(&item);
    return Batch::Waves(pointers_);
  }

  std::deque<Item> items_;
  std::vector<Item*> pointers_;
};

TEST_F(WavesTest, DisjointCommandsShareAWave) {
  Add({"a"});
  Add({"b"});
  Add({});
  EXPECT_THAT(Waves(), ElementsAre(ElementsAre(0, 1, 2)));
}

TEST_F(WavesTest, ACommonKeyKeepsTheOrderOfArrival) {
  Add({"a"});
  Add({"a", "b"});
  Add({"b"});
  Add({"c"});
  EXPECT_THAT(Waves(), ElementsAre(ElementsAre(0, 3), ElementsAre(1), ElementsAre(2)));
}

TEST_F(WavesTest, RandomCommandsAreDisjointWithinAWaveAndOrderedAcrossThem) {
  std::minstd_rand random(3);
  for (int i = 0; i < 300; ++i) {
    std::set<std::string> keys;
    for (auto k = random() % 3; k > 0; --k) keys.insert(std::to_string(random() % 40));
    Add({keys.begin(), keys.end()});
  }
  std::map<std::string, std::size_t> last_of_key;
  std::set<std::size_t> seen;
  for (const auto& wave : Waves()) {
    std::set<std::string> keys_of_wave;
    for (const std::size_t index : wave) {
      ASSERT_TRUE(seen.insert(index).second);
      for (const std::string& key : items_[index].command->keys) {
        ASSERT_TRUE(keys_of_wave.insert(key).second) << "two of a wave share " << key;
        const auto before = last_of_key.find(key);
        ASSERT_TRUE(before == last_of_key.end() || before->second < index);
        last_of_key[key] = index;
      }
    }
  }
  EXPECT_EQ(seen.size(), items_.size());
}

}  // namespace
}  // namespace iq
