#include "grammar/formats.h"

#include <array>
#include <string>

#include "grammar/pattern.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

// Days that a month has; the 29th of February in leap years only.
constexpr std::string_view kDate =
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"
    "02-(?:0[1-9]|1[0-9]|2[0-8]))|"
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)";
// Second 60 is a leap second, at the end of a day of UTC.
constexpr std::string_view kTime =
    "(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])|"
    "23:59:60(?:\\.[0-9]+)?(?:[Zz]|[+-]00:00))";
constexpr std::string_view kDuration =
    "P(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|"
    "[0-9]+M(?:[0-9]+S)?|[0-9]+S))?|T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))";
constexpr std::string_view kIpv4 =
    "(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\\.){3}"
    "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
// Without "--" as the third and fourth letter: what such labels encode is not checked here, so they are left out.
constexpr std::string_view kLabel =
    "[A-Za-z0-9](?:[A-Za-z0-9]|[A-Za-z0-9-](?:[A-Za-z0-9]|(?:[A-Za-z0-9][A-Za-z0-9-]|-[A-Za-z0-9])"
    "(?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])?))?";
constexpr std::string_view kUuid = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}";
constexpr std::string_view kAtom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
constexpr std::string_view kPointer = "(?:/(?:[^~/]|~[01])*)*";

std::string ipv6() {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  const std::string last = "(?:" + group + ":" + group + "|" + std::string(kIpv4) + ")";
  std::string all = "(?:(?:" + group + ":){6}" + last;
  // n groups before "::" and up to 5 - n and the last 32 bits after it.
  for (int n_before = 0; n_before <= 5; ++n_before) {
    const std::string before =
        n_before == 0 ? "" : "(?:" + group + ":){0," + std::to_string(n_before - 1) + "}" + group;
    const std::string head = n_before == 0 ? "" : "(?:" + before + ")?";
    all += "|" + head + "::(?:" + group + ":){" + std::to_string(5 - n_before) + "}" + last;
  }
  all += "|(?:(?:" + group + ":){0,5}" + group + ")?::" + group;
  all += "|(?:(?:" + group + ":){0,6}" + group + ")?::";
  return all + ")";
}

std::string uri(bool is_reference, std::string_view other) {
  const std::string letter = "[A-Za-z0-9._~!$&'()*+,;=:@" + std::string(other) + "-]|%[0-9A-Fa-f]{2}";
  const std::string no_colon = "[A-Za-z0-9._~!$&'()*+,;=@" + std::string(other) + "-]|%[0-9A-Fa-f]{2}";
  const std::string name = "[A-Za-z0-9._~!$&'()*+,;=" + std::string(other) + "-]|%[0-9A-Fa-f]{2}";
  const std::string user = "(?:(?:" + name + "|:)*@)?";
  const std::string host =
      "(?:\\[(?:" + ipv6() + "|[vV][0-9A-Fa-f]+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]|(?:" + name + ")*)";
  const std::string authority = "//" + user + host + "(?::[0-9]*)?(?:/(?:" + letter + ")*)*";
  const std::string absolute = "/(?:(?:" + letter + ")+(?:/(?:" + letter + ")*)*)?";
  const std::string rootless = "(?:" + letter + ")+(?:/(?:" + letter + ")*)*";
  const std::string relative = "(?:" + no_colon + ")+(?:/(?:" + letter + ")*)*";
  const std::string in_query = other.empty() ? "" : "\\uE000-\\uF8FF\\u{F0000}-\\u{FFFFD}\\u{100000}-\\u{10FFFD}";
  const std::string tail = "(?:\\?(?:" + letter + "|[/?" + in_query + "])*)?(?:#(?:" + letter + "|[/?])*)?";
  const std::string full = "[A-Za-z][A-Za-z0-9+.-]*:(?:" + authority + "|" + absolute + "|" + rootless + ")?" + tail;
  if (!is_reference) return full;
  return full + "|(?:" + authority + "|" + absolute + "|" + relative + ")?" + tail;
}

std::string email(bool is_international) {
  const std::string atom = is_international ? "(?:[^\\x00-\\x20\\x7F()<>@,;:\\\\\".\\[\\]])+" : std::string(kAtom);
  const std::string beyond = is_international ? "\\u00A0-\\u{10FFFF}" : "";
  const std::string quoted = "\"(?:[\\x20\\x21\\x23-\\x5B\\x5D-\\x7E" + beyond + "]|\\\\[\\x20-\\x7E])*\"";
  const std::string label = is_international ? "[^\\x00-\\x2C./:-@\\[-`{-\\x7F]+" : std::string(kLabel);
  const std::string domain = label + "(?:\\." + label + ")*|\\[(?:" + std::string(kIpv4) + "|IPv6:" + ipv6() + ")\\]";
  return "(?:" + atom + "(?:\\." + atom + ")*|" + quoted + ")@(?:" + domain + ")";
}

// Formats that are one pattern.
std::optional<std::string> pattern_of(std::string_view format) {
  const std::string date(kDate), time(kTime);
  if (format == "date") return date;
  if (format == "time") return time;
  if (format == "date-time") return date + "[Tt]" + time;
  if (format == "duration") return std::string(kDuration);
  if (format == "ipv4" || format == "ip-address") return std::string(kIpv4);
  if (format == "ipv6") return ipv6();
  if (format == "uuid") return std::string(kUuid);
  if (format == "email") return email(false);
  if (format == "idn-email") return email(true);
  if (format == "uri") return uri(false, "");
  if (format == "uri-reference") return uri(true, "");
  if (format == "iri") return uri(false, "\\u00A0-\\uD7FF\\uF900-\\uFFEF\\u{10000}-\\u{EFFFD}");
  if (format == "iri-reference") return uri(true, "\\u00A0-\\uD7FF\\uF900-\\uFFEF\\u{10000}-\\u{EFFFD}");
  if (format == "json-pointer") return std::string(kPointer);
  if (format == "relative-json-pointer") return "(?:0|[1-9][0-9]*)(?:#|" + std::string(kPointer) + ")";
  return std::nullopt;
}

}  // namespace

std::optional<NodeId> format_texts(TextEncoding& encoding, std::string_view format) {
  if (const auto pattern = pattern_of(format)) return texts_matched(encoding, *pattern);
  if (format == "hostname" || format == "host-name") {
    // At most 253 characters, and no label that says it is encoded and may not be.
    const std::string label(kLabel);
    Regexes& regexes = encoding.regexes();
    return regexes.intersection(texts_matched(encoding, label + "(?:\\." + label + ")*"),
                                regexes.repeat(encoding.any_character(), 1, 253));
  }
  if (format == "idn-hostname" || format == "uri-template" || format == "regex")
    refuse("the format '{}' is not supported", format);
  return std::nullopt;
}

}  // namespace ogas::grammar
