//! Login tokens of RDS and Aurora instead of passwords.

use serde_saphyr::Spanned;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    raw::{RawIam, RawReader},
    settings::{Endpoint, Iam, UpstreamTls},
    targets::endpoint,
};

/// Reads where tokens for a server come from that is dialled at `dialled`.
pub(super) fn read(
    place: &Place<'_>,
    raw: &Spanned<RawIam>,
    dialled: &Endpoint,
    tls: &UpstreamTls,
) -> Result<Iam, ConfigError> {
    // closed: a token is as good as a password for a quarter of an hour.
    if *tls == UpstreamTls::Disable {
        return Err(place.at(line(raw), "targets.iam", Problem::IamWithoutTls));
    }
    let at = line(raw);
    let raw = &raw.value;
    let mut real = match &raw.endpoint {
        Some(written) => endpoint(place, "targets.iam.endpoint", written)?,
        None if region_of(&dialled.host).is_some() => dialled.clone(),
        None => {
            let problem = Problem::IamEndpoint { host: dialled.host.clone() };
            return Err(place.at(at, "targets.iam.endpoint", problem));
        }
    };
    real.host.make_ascii_lowercase();
    let region = match &raw.region {
        Some(written) if is_region(&written.value) => written.value.clone(),
        Some(written) => {
            let problem = Problem::Region { found: written.value.clone() };
            return Err(place.at(line(written), "targets.iam.region", problem));
        }
        None => region_of(&real.host).map(str::to_owned).ok_or_else(|| {
            place.at(at, "targets.iam.region", Problem::IamRegion { host: real.host.clone() })
        })?,
    };
    if let Some(written) = raw.role_arn.as_ref().filter(|written| !is_role(&written.value)) {
        let problem = Problem::RoleArn { found: written.value.clone() };
        return Err(place.at(line(written), "targets.iam.role_arn", problem));
    }
    if let Some(written) = raw.profile.as_ref().filter(|written| written.value.is_empty()) {
        return Err(place.at(line(written), "targets.iam.profile", Problem::Empty));
    }
    let text = |written: &Option<Spanned<String>>| written.as_ref().map(|written| written.value.clone());
    Ok(Iam { region, profile: text(&raw.profile), role_arn: text(&raw.role_arn), endpoint: real })
}

/// What the read lane's tokens are signed for where it goes to a reader; `None` without `iam`.
pub(super) fn of_reader(
    place: &Place<'_>,
    raw: &RawReader,
    iam: Option<&Iam>,
) -> Result<Option<Iam>, ConfigError> {
    let Some(iam) = iam else {
        return match &raw.iam_endpoint {
            Some(written) => Err(place.at(line(written), "targets.reader.iam_endpoint", Problem::WithoutIam)),
            None => Ok(None),
        };
    };
    let dialled = endpoint(place, "targets.reader.endpoint", &raw.endpoint)?;
    let mut real = match &raw.iam_endpoint {
        Some(written) => endpoint(place, "targets.reader.iam_endpoint", written)?,
        None if region_of(&dialled.host).is_some() => dialled,
        None => {
            let problem = Problem::IamEndpoint { host: dialled.host };
            return Err(place.at(line(&raw.endpoint), "targets.reader.iam_endpoint", problem));
        }
    };
    real.host.make_ascii_lowercase();
    Ok(Some(Iam { endpoint: real, ..iam.clone() }))
}

/// The region in the name of an endpoint of RDS, which has it before `rds.amazonaws`, in whatever case.
fn region_of(host: &str) -> Option<&str> {
    let labels: Vec<&str> = host.split('.').collect();
    labels.windows(3).find_map(|labels| match labels {
        [region, rds, amazon]
            if rds.eq_ignore_ascii_case("rds")
                && amazon.eq_ignore_ascii_case("amazonaws")
                && is_region(region) =>
        {
            Some(*region)
        }
        _ => None,
    })
}

fn is_region(name: &str) -> bool {
    name.contains('-')
        && name.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-')
}

fn is_role(arn: &str) -> bool {
    arn.starts_with("arn:")
        && arn.contains(":iam::")
        && arn.split_once(":role/").is_some_and(|(_, name)| !name.is_empty())
        && !arn.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_stands_in_the_name_of_the_endpoint() {
        for (host, region) in [
            ("hr.c1.eu-central-1.rds.amazonaws.com", Some("eu-central-1")),
            ("hr.cluster-ro-c1.us-gov-west-1.rds.amazonaws.com", Some("us-gov-west-1")),
            ("hr.proxy-c1.cn-north-1.rds.amazonaws.com.cn", Some("cn-north-1")),
            ("hr.c1.eusc-de-east-1.rds.amazonaws.eu", Some("eusc-de-east-1")),
            ("db.internal", None),
            ("rds.amazonaws.com", None),
            ("hr.c1.rds.amazonaws.com", None),
            ("hr.c1.eu-central-1.redshift.amazonaws.com", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }

    #[test]
    fn roles_are_told_by_their_arn() {
        assert!(is_role("arn:aws:iam::123456789012:role/tidegate"));
        assert!(is_role("arn:aws-cn:iam::123456789012:role/path/tidegate"));
        for arn in [
            "tidegate",
            "arn:aws:iam::123456789012:user/dana",
            "arn:aws:iam::1:role/",
            "arn:aws:iam::1:role/a b",
        ] {
            assert!(!is_role(arn), "{arn}");
        }
    }
}
