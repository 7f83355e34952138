//! Interfaces and flow logs as `DescribeNetworkInterfaces` and `DescribeFlowLogs` list them.

use super::super::Gathered;
use crate::config::Source;
use crate::evidence::flow_logs::{FlowLogConfiguration, NetworkInterface};
use crate::evidence::{Evidence, Kind, Outside, Time};
use serde_json::Value;

pub(super) fn interfaces(
    out: &mut Gathered,
    source: &Source,
    region: Option<&str>,
    path: &str,
    list: &[Value],
    at: Time,
) {
    for (i, item) in list.iter().enumerate() {
        let Some(interface) = text(item, "NetworkInterfaceId") else {
            out.quarantine(path, format!("NetworkInterfaces[{i}]"), "has no NetworkInterfaceId".into());
            continue;
        };
        let zone = text(item, "AvailabilityZone").unwrap_or_default();
        let region = region.unwrap_or_else(|| zone.trim_end_matches(|c: char| c.is_ascii_lowercase()));
        let subject = format!("aws:{}:{region}:{interface}", text(item, "OwnerId").unwrap_or("unknown"));
        let attachment = &item["Attachment"];
        let of = |list: &str| item[list].as_array().into_iter().flatten();
        let ipv4 = of("PrivateIpAddresses").filter_map(|a| text(a, "PrivateIpAddress"));
        let addresses = ipv4.chain(of("Ipv6Addresses").filter_map(|a| text(a, "Ipv6Address")));
        let payload = NetworkInterface {
            gone: false,
            interface: interface.to_owned(),
            vpc: text(item, "VpcId").unwrap_or_default().to_owned(),
            subnet: text(item, "SubnetId").unwrap_or_default().to_owned(),
            instance: text(attachment, "InstanceId").map(str::to_owned),
            addresses: addresses.map(str::to_owned).collect(),
            tags: tags(&item["TagSet"]),
            attached: text(attachment, "AttachTime").and_then(|t| t.parse().ok()),
        };
        out.keep(1);
        out.evidence.push(Evidence::state(Kind::NetworkInterface, &source.name, subject, at, &payload));
    }
}

pub(super) fn flow_logs(out: &mut Gathered, source: &Source, path: &str, list: &[Value], at: Time) {
    for (i, item) in list.iter().enumerate() {
        let Some(id) = text(item, "FlowLogId") else {
            out.quarantine(path, format!("FlowLogs[{i}]"), "has no FlowLogId".into());
            continue;
        };
        let payload = FlowLogConfiguration {
            gone: false,
            id: id.to_owned(),
            resource: text(item, "ResourceId").unwrap_or_default().to_owned(),
            traffic: text(item, "TrafficType").unwrap_or_default().to_owned(),
            format: text(item, "LogFormat").map(str::to_owned),
            interval: item["MaxAggregationInterval"].as_i64(),
            destination: text(item, "LogDestination").or(text(item, "LogGroupName")).map(str::to_owned),
            delivery: text(item, "DeliverLogsStatus").map(str::to_owned),
            error: text(item, "DeliverLogsErrorMessage").map(str::to_owned),
        };
        out.keep(1);
        let subject = format!("aws:{id}");
        out.evidence.push(Evidence::state(Kind::FlowLogConfiguration, &source.name, subject, at, &payload));
    }
}

/// The named list of a reply; whole unless the reply names a next page.
pub(super) fn list(out: &mut Gathered, path: &str, bytes: &[u8], name: &str) -> Option<Vec<Value>> {
    let mut reply = out.json(path, bytes)?;
    let Some(Value::Array(list)) = reply.get_mut(name).map(Value::take) else {
        out.refuse(path, format!("has no list {name}"));
        return None;
    };
    if reply["NextToken"].is_string() {
        out.gap(format!("{path}: the listing goes on after NextToken, and the next page is not there"));
    } else {
        out.listed_whole(if name == "FlowLogs" {
            Kind::FlowLogConfiguration
        } else {
            Kind::NetworkInterface
        });
    }
    Some(list)
}

fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.get(name)?.as_str().filter(|s| !s.is_empty())
}

fn tags(set: &Value) -> Outside {
    let pairs =
        set.as_array().into_iter().flatten().filter_map(|t| Some((text(t, "Key")?, t["Value"].as_str()?)));
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}
