//! Where AWS puts flow-log objects in a bucket: by account, service, region and day, in one of two manners.
//!
//! ```text
//! [prefix/]AWSLogs/[o-…/]<account>/vpcflowlogs/<region>/YYYY/MM/DD/[HH/]<file>
//! [prefix/]AWSLogs/[o-…/]aws-account-id=<account>/aws-service=vpcflowlogs/aws-region=<region>/year=YYYY/month=MM/day=DD/[hour=HH/]<file>
//! ```
//!
//! AWS, "Flow log files" (VPC user guide).

use crate::evidence::Time;

/// The objects of one account and region, in one manner.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// What keys begin with, up to the region and its slash.
    pub prefix: String,
    /// Whether the parts of the date have names.
    pub named: bool,
}

/// Whether a folder below `AWSLogs/` may be an organisation, with accounts below it.
pub fn is_organisation(folder: &str) -> bool {
    last(folder).starts_with("o-")
}

/// The folder of an account's flow logs.
pub fn service(account: &str) -> String {
    let service =
        if last(account).starts_with("aws-account-id=") { "aws-service=vpcflowlogs" } else { "vpcflowlogs" };
    format!("{account}{service}/")
}

impl Place {
    /// The place of a region's folder.
    pub fn of(region: String) -> Place {
        Place { named: last(&region).starts_with("aws-region="), prefix: region }
    }

    /// What the keys of a day (UTC) begin with.
    pub fn day(&self, day: Time) -> String {
        let date = day.to_string();
        let (year, month, day) = (&date[..4], &date[5..7], &date[8..10]);
        if self.named {
            format!("{}year={year}/month={month}/day={day}/", self.prefix)
        } else {
            format!("{}{year}/{month}/{day}/", self.prefix)
        }
    }

    /// The day of a key.
    pub fn day_of(&self, key: &str) -> Option<Time> {
        let mut parts = key.strip_prefix(&self.prefix)?.split('/');
        let mut number = || parts.next()?.rsplit('=').next()?.parse::<u32>().ok();
        let (year, month, day) = (number()?, number()?, number()?);
        format!("{year:04}-{month:02}-{day:02}").parse().ok()
    }
}

fn last(folder: &str) -> &str {
    folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_manners_are_read_and_written() {
        let day: Time = "2026-11-09".parse().unwrap();
        let accounts = ["AWSLogs/111122223333/", "x/AWSLogs/o-abc/aws-account-id=111122223333/"];
        let regions = ["eu-central-1/", "aws-region=eu-central-1/"];
        for (account, region) in accounts.into_iter().zip(regions) {
            let place = Place::of(format!("{}{region}", service(account)));
            for more in ["a.log.gz", "05/a.log.gz", "hour=05/a.log.gz"] {
                assert_eq!(place.day_of(&format!("{}{more}", place.day(day))), Some(day));
            }
            assert_eq!(place.day_of("AWSLogs/else"), None);
        }
        let named = Place::of("AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=x/".into());
        assert!(named.day(day).ends_with("aws-region=x/year=2026/month=11/day=09/"));
        assert!(is_organisation("AWSLogs/o-1/") && !is_organisation("AWSLogs/1/"));
    }
}
