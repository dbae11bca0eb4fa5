// Who may read what the page shows, and who may act.
//
// A page of another site can make a user's browser send requests here: to act takes a token in a
// header, which such a page cannot add, and a request that the browser says comes from our own
// page. A name that another site has pointed at this machine (DNS rebinding) is not taken for it.
#pragma once

#include <string>
#include <vector>

#include "host/config.h"

namespace iq {

// Of a request: header fields, empty where there are none.
struct Visit {
  std::string remote_address{};
  std::string host{};
  std::string authorization{};
  std::string origin{};
  std::string fetch_site{};
  std::string content_type{};
};

struct Visitor {
  enum class May { kNothing, kRead, kWrite };

  std::string name;  // Of the token; empty without one.
  May may = May::kNothing;
};

class Visitors {
 public:
  explicit Visitors(const AdminConfig& config) : tokens_(config.tokens) {}

  // Throws ApiError where there is a token and it is not known.
  Visitor Recognize(const Visit& visit) const;

  bool have_tokens() const { return !tokens_.empty(); }

 private:
  std::vector<AdminToken> tokens_;
};

// Throws ApiError where a page of another site made the request, as far as the browser says so.
void RequireNotFromAnotherSite(const Visit& visit);

// Throws ApiError unless the request says that it brings JSON, which no page can say to another
// site unasked.
void RequireJson(const Visit& visit);

}  // namespace iq
