#include "alerts/settings.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "alerts/mail_channel.hpp"
#include "alerts/other_channels.hpp"
#include "core/error.hpp"
#include "http/client.hpp"

namespace clrbus::alerts {
namespace {

std::vector<std::string> alert_words(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string word; in >> word;) out.push_back(word);
    return out;
}

std::vector<std::string> kinds_of(const Config& element) {
    std::vector<std::string> out = alert_words(element.get("when"));
    std::string all;
    for (const std::string_view kind : kKinds) all += (all.empty() ? "" : ", ") + std::string(kind);
    for (const std::string& kind : out) {
        if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds))
            element.fail("ALERT-003", "when", "'" + kind + "' is no kind of alert (expected some of " + all + ")");
    }
    return out;
}

std::string mail_address(const Config& element, const char* attribute, const std::string& text) {
    const std::size_t at = text.find('@');
    const bool good = at != std::string::npos && at != 0 && at + 1 < text.size() &&
                      text.find('@', at + 1) == std::string::npos && text.find_first_of("<>\"(),:;\\[]") == std::string::npos;
    if (!good) element.fail("ALERT-003", attribute, "is no mail address (expected NAME@HOST)");
    return text;
}

// The secret is read now, so that a missing one is found at the start, and again at each use.
std::function<std::string()> secret_by(const Config& element, const char* attribute, const ChannelParts& parts) {
    if (!element.has(attribute)) return nullptr;
    const std::string name = element.require(attribute);
    parts.secret(name);
    return [name, secret = parts.secret] { return secret(name); };
}

std::filesystem::path alert_path(const Config& element, const char* attribute, const ChannelParts& parts) {
    if (!element.has(attribute)) return {};
    return (parts.folder / element.get(attribute)).lexically_normal();  // an absolute one stays
}

std::unique_ptr<Channel> mail_of(const Config& element, const std::string& name, const ChannelParts& parts) {
    MailOptions out;
    out.name = name;
    out.kinds = kinds_of(element);
    out.host = element.require("host");
    out.port = static_cast<std::uint16_t>(element.get_int("port", 0));
    const std::string tls = element.get("tls", "starttls");
    out.tls = tls == "tls" ? MailOptions::Tls::kTls : tls == "none" ? MailOptions::Tls::kNone : MailOptions::Tls::kStartTls;
    out.ca_file = alert_path(element, "ca-file", parts);
    out.user = element.get("user");
    out.password = secret_by(element, "password-secret", parts);
    if (out.user.empty() != (out.password == nullptr)) element.fail("ALERT-003", "user and password-secret belong together");
    out.from = mail_address(element, "from", element.require("from"));
    for (const std::string& to : alert_words(element.require("to"))) out.to.push_back(mail_address(element, "to", to));
    out.timeout = element.get_duration("timeout", out.timeout);
    return make_mail_channel(std::move(out));
}

std::unique_ptr<Channel> webhook_of(const Config& element, const std::string& name, const ChannelParts& parts) {
    WebhookOptions out;
    out.name = name;
    out.kinds = kinds_of(element);
    out.url = element.require("url");
    out.ca_file = alert_path(element, "ca-file", parts);
    out.key = secret_by(element, "signature-secret", parts);
    out.token = secret_by(element, "token-secret", parts);
    out.timeout = element.get_duration("timeout", out.timeout);
    return make_webhook_channel(std::move(out), parts.client, parts.clock);
}

std::unique_ptr<Channel> command_of(const Config& element, const std::string& name, const ChannelParts& parts) {
    return make_command_channel({name, kinds_of(element), alert_path(element, "program", parts),
                                 element.get_duration("timeout", std::chrono::seconds(30))});
}

}  // namespace

AlertSettings read_alert_settings(const Config& element, std::uint64_t free_bytes) {
    AlertSettings out;
    out.options.look =
        std::max<std::chrono::milliseconds>(element.get_duration("look", out.options.look), std::chrono::seconds(1));
    out.options.group = element.get_duration("group", out.options.group);
    out.options.quiet = element.get_duration("quiet", out.options.quiet);
    out.options.retry = element.get_duration("retry", out.options.retry);
    out.limits.dead_letters = static_cast<std::uint64_t>(element.get_int("dead-letters", 1));
    out.limits.oldest = element.get_duration("oldest-waiting", out.limits.oldest);
    out.limits.away = element.get_duration("away", out.limits.away);
    out.options.undelivered = out.limits.away;
    if (element.has("late-by")) out.limits.late_by = element.get_duration("late-by", {});
    out.limits.free_bytes = static_cast<std::uint64_t>(element.get_int("free-bytes", static_cast<std::int64_t>(free_bytes)));
    out.limits.expiry_days = element.get_int("expiry-days", out.limits.expiry_days);
    return out;
}

std::vector<std::unique_ptr<Channel>> make_channels(const Config& element, const ChannelParts& parts) {
    std::vector<std::unique_ptr<Channel>> out;
    std::set<std::string> names;
    for (const Config& one : element.children()) {
        const std::string kind(one.name());
        const std::string name = kind + (one.has("name") ? " " + one.get("name") : "");
        if (!names.insert(name).second) one.fail("ALERT-003", "name", "there are two of this kind and name");
        try {
            out.push_back(kind == "mail"      ? mail_of(one, name, parts)
                          : kind == "webhook" ? webhook_of(one, name, parts)
                                              : command_of(one, name, parts));
        } catch (Error& e) {
            if (e.where().line != 0) throw;
            one.fail(e.code(), e.why());
        }
    }
    return out;
}

}  // namespace clrbus::alerts
