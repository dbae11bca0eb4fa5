#include "host/admin/visitors.h"

#include <string_view>

#include "host/admin/api.h"
#include "host/base/digest.h"

namespace iq {
namespace {

constexpr std::string_view kBearer = "Bearer ";

// Of "HOST", "HOST:PORT" or "[HOST]:PORT".
std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool IsLoopbackAddress(std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";  // IPv4 on a socket of IPv6.
  if (address.starts_with(kMapped)) address.remove_prefix(kMapped.size());
  return address == "::1" || address.starts_with("127.");
}

bool IsLoopbackName(std::string_view host) {
  const std::string_view name = WithoutPort(host);
  return name == "localhost" || name == "[::1]" || name == "127.0.0.1";
}

}  // namespace

Visitor Visitors::Recognize(const Visit& visit) const {
  if (visit.authorization.empty()) {
    const bool from_here = IsLoopbackAddress(visit.remote_address) && IsLoopbackName(visit.host);
    return {"", from_here ? Visitor::May::kRead : Visitor::May::kNothing};
  }
  if (visit.authorization.starts_with(kBearer)) {
    const std::string sum = Sha256Hex(std::string_view(visit.authorization).substr(kBearer.size()));
    for (const AdminToken& token : tokens_) {
      if (token.sha256 != sum) continue;
      return {token.name,
              token.may == AdminToken::May::kWrite ? Visitor::May::kWrite : Visitor::May::kRead};
    }
  }
  throw ApiError(ApiError::kUnknownVisitor,
                 "this token is not known; `iq token NAME` makes one for admin.tokens");
}

void RequireNotFromAnotherSite(const Visit& visit) {
  const bool said =
      !visit.fetch_site.empty() && visit.fetch_site != "same-origin" && visit.fetch_site != "none";
  const auto scheme_end = visit.origin.find("://");
  const bool other_origin =
      !visit.origin.empty() &&
      (scheme_end == std::string::npos || visit.origin.substr(scheme_end + 3) != visit.host);
  if (said || other_origin) {
    throw ApiError(ApiError::kForbidden, "the request comes from another site");
  }
}

void RequireJson(const Visit& visit) {
  if (visit.content_type.starts_with("application/json")) return;
  throw ApiError(ApiError::kForbidden, "a request to act has the Content-Type application/json");
}

}  // namespace iq
