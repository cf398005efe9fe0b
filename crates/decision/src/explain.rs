//! A policy as a document: the one that ASVS 5.0 6.1.1 asks for.

use crate::{Ledger, Limits, Policy, Preset};

impl Policy {
    /// Returns how limits and adaptive response are configured and how they prevent malicious
    /// lockout, as Markdown.
    pub fn explain(&self) -> String {
        let preset = match self.preset {
            Preset::Standard => "standard",
            Preset::Strict => "strict",
        };
        let suspicious = if self.second_factor {
            "are asked for a second factor"
        } else {
            "are denied for ten minutes (the application has no second factor)"
        };
        format!(
            "\
# Login limits

Preset `{preset}`. Every limit counts *failed* logins. A successful login costs nothing, and neither does
repeating the same incorrect password for an account {tried}. Nonexistent names are
treated in the same way: whether an account exists is never looked up.

| counted failures | at most | applies to |
|---|---|---|
| of one account, from anywhere | {account} | clients without a device token of that account |
| on one device of an account | {device} | that device; no other limit applies to it |
| from one client address (IPv6: /64) | {address} | strangers |
| from one network (IPv4 /24, IPv6 /48) | {network} | strangers |
| of one password, counted in accounts | {heat} | strangers who try that password |

A *stranger* has no device token of the account and comes from a network from which the account has not
logged in for {networks}.

# Suspicion

Besides the limits, evidence is weighed in nats. Evidence against an attempt: failures of the account,
the address, the network and, where it is known, the autonomous system; and the number of accounts on which
the password has failed today, beyond what its popularity explains by chance. Evidence for it: the account
knows the network, and the site has seen successful logins from there.

- Attempts as suspicious as the most suspicious {step_ups} of successful logins {suspicious}.
- While few logins from unknown devices succeed site-wide, {under_attack}the limits of strangers per address
  and per network shrink, to half at most. No attempt is denied because of the state of the site alone.
- Attempts as suspicious as the most suspicious {delays} of them are delayed by two seconds.

These thresholds are a running quantile over successful logins on known devices, weighed as if the devices
were unknown. Until 1,000 of them are recorded, only the limits act: in its first days a site knows none of
its users.

# How malicious lockout is prevented

- A device on which the owner has logged in has a budget of its own, by a signed token that is bound to
  the account.
- From a network that the account knows, the account limit is doubled, so that strangers can't use all of it.
- A lock ends by itself: denied attempts are not counted, so hammering does not prolong it.
- The limits per address and per network, and the state of the site, never deny an attempt from a network
  that the account knows.
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
                format!(
                    "that share becomes {}, and ",
                    percent(self.step_ups_under_attack)
                )
            } else {
                String::new()
            },
            delays = percent(self.delays),
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
    fn every_limit_and_budget_of_the_policy_is_explained() {
        for preset in [Preset::Standard, Preset::Strict] {
            let policy = Policy {
                second_factor: true,
                ..Policy::preset(preset)
            };
            let text = policy.explain();
            for limits in [
                &policy.account,
                &policy.device,
                &policy.address,
                &policy.network,
                &policy.heat,
            ] {
                assert!(text.contains(&limits.to_string()), "{limits}");
            }
            for share in [policy.step_ups, policy.step_ups_under_attack, policy.delays] {
                assert!(text.contains(&percent(share)), "{share}");
            }
        }
        assert_eq!(percent(0.001), "0.1 %");
    }
}
