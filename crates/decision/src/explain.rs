//! A policy in words: the document that ASVS 5.0 6.1.1 asks for.

use crate::{Ledger, Limits, Policy, Preset};

impl Policy {
    /// How limits and adaptive response are configured and how they prevent malicious lockout, as
    /// Markdown.
    pub fn explain(&self) -> String {
        let preset = match self.preset {
            Preset::Standard => "standard",
            Preset::Strict => "strict",
        };
        let stepped = if self.second_factor {
            "is asked for a second factor"
        } else {
            "is refused for ten minutes (the application has no second factor)"
        };
        format!(
            "\
# How logins are limited

Preset `{preset}`. Every limit counts *wrong* passwords; a right one costs nothing, and neither does
the same wrong password again on the same account ({tried}). The same holds for names
that do not exist: whether an account exists is never asked.

| what is counted | at most | who meets it |
|---|---|---|
| one account, from anywhere | {account} | everybody without a token of that account's device |
| one device of an account | {device} | that device, and nothing else ever limits it |
| one client address (IPv6: /64) | {address} | strangers |
| one network (IPv4 /24, IPv6 /48) | {network} | strangers |
| accounts on which one password failed | {heat} | strangers who try that password |

A *stranger* has no token of the account's devices and comes from a network from which the account
has not logged in for {networks}.

# What makes an attempt suspicious

Beside the limits, evidence is weighed in nats: failures of the account, address, network and
autonomous system; how many accounts have refused the password today, more than people do by chance
with one so popular; whether the pair has leaked; against it, whether the account knows the network, and how many
right logins the site has seen from there.

- Who is among the most suspicious {step_ups} of right logins {stepped}.
- While few logins without a device succeed on the whole site, {under_attack}what strangers
  may do from one address or network shrinks to half at the most. Nobody is refused for the site's state alone.
- The most suspicious {challenges} wait for two seconds.

Those shares are kept by a running quantile over right logins on known devices, weighed as if they
were not known. Until 1,000 are noted, only the limits act: in its first days a site knows nobody.

# Why nobody can lock an owner out

- A device on which the owner has logged in has its own budget, by a signed token that is bound to
  the account.
- From a network that the account knows, as many failures again are allowed as strangers have used.
- A lock ends by itself: attempts that are refused are not counted, so hammering does not prolong it.
- Addresses and the site as a whole never refuse anybody whose account knows the network.
",
            tried = window(Ledger::Tried.limits(self)),
            account = self.account,
            device = self.device,
            address = self.address,
            network = self.network,
            heat = self.heat,
            networks = window(Ledger::Networks.limits(self)),
            step_ups = percent(self.step_ups),
            under_attack = if self.second_factor {
                format!("that becomes {}, and ", percent(self.step_ups_under_attack))
            } else {
                String::new()
            },
            challenges = percent(self.challenges),
        )
    }
}

fn window(limits: &Limits) -> String {
    let days = limits
        .get(0)
        .map_or(0, |limit| limit.window.as_secs() / 86_400);
    match days {
        1 => "within a day".into(),
        days => format!("{days} days"),
    }
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_and_budget_of_the_policy_is_told() {
        for preset in [Preset::Standard, Preset::Strict] {
            let policy = Policy {
                second_factor: true,
                ..Policy::preset(preset)
            };
            let told = policy.explain();
            for limits in [
                &policy.account,
                &policy.device,
                &policy.address,
                &policy.network,
                &policy.heat,
            ] {
                assert!(told.contains(&limits.to_string()), "{limits}");
            }
            for share in [
                policy.step_ups,
                policy.step_ups_under_attack,
                policy.challenges,
            ] {
                assert!(told.contains(&percent(share)), "{share}");
            }
        }
        assert_eq!(percent(0.001), "0.1 %");
    }
}
