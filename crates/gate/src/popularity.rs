//! The popularity of a password: its rank in zxcvbn's lists of 30,000 passwords, names and words.

use doorwarden_decision::popularity;
use zxcvbn::matching::patterns::MatchPattern;

use crate::http::credentials::Password;

/// The longest password that is looked up, in bytes. No longer one is among the popular, and the
/// time that zxcvbn takes grows with the square: 0.05 ms here.
const LONGEST: usize = 20;

/// Returns the rank of the password in the lists, from 1, multiplied by the number of variants if it is
/// written with capitals or leet. `None` if it is not listed.
///
/// zxcvbn keeps copies of the password until it returns and does not wipe them.
pub(crate) fn rank(password: &Password) -> Option<u32> {
    let password = password.expose().trim();
    if password.is_empty() || password.len() > LONGEST {
        return None;
    }
    let entropy = zxcvbn::zxcvbn(password, &[]);
    let [whole] = entropy.sequence() else {
        return None;
    };
    match &whole.pattern {
        MatchPattern::Dictionary(_) => {
            let rank = whole.guesses.unwrap_or(u64::from(u32::MAX));
            u32::try_from(rank)
                .ok()
                .filter(|rank| *rank <= popularity::LISTED)
        }
        _ => None,
    }
}

/// Returns whether a password is in the lists, as it is or in a variant with capitals or leet.
pub fn is_popular(password: &Password) -> bool {
    rank(password).is_some()
}

#[cfg(not(feature = "shuttle"))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popular_passwords_have_a_place_and_others_none() {
        let rank = |password: &str| rank(&Password::new(password.to_owned()));
        assert_eq!(rank("123456"), Some(1));
        assert_eq!(rank(" password "), Some(2));
        assert!(rank("Password1").is_some_and(|rank| rank > 100));
        for unpopular in [
            "",
            "Winter2026!",
            "correct horse battery staple",
            "8rK!x0pQ",
        ] {
            assert_eq!(rank(unpopular), None, "{unpopular}");
        }
    }
}
