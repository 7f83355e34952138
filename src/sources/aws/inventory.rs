//! Which interfaces and flow logs there are, as EC2 lists them, in the form in which the AWS command line prints them.

use super::{Session, why};
use crate::config::Access;
use crate::evidence::{Kind, Time};
use crate::sources::flow_logs::Parser;
use crate::sources::pages::Pages;
use crate::sources::{Context, Gathered};
use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{FlowLog, NetworkInterface};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Items of a page.
const PAGE: i32 = 1_000;

/// Lists interfaces and flow logs of each account and region of a source. A listing that fails is a gap; interfaces are then
/// listed whole where they were listed, and flow logs, whose subjects tell no account, are not.
pub fn inventory(session: &Session, context: &Context<'_>, now: Time) -> Gathered {
    let (mut parser, mut requests) = (Parser::new(context, now), Vec::new());
    let (mut lacks, mut places) = (BTreeSet::new(), BTreeSet::new());
    // The role of the source is taken on once.
    let own = context.source.inventory_of.is_empty().then_some(&session.config);
    for access in context.source.accounts() {
        let place = [access.region, access.role_arn].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let mut take = |kind: Kind, asked: &str, listing: Listing| match listing {
            Ok(list) => {
                requests.push(format!("{asked} ({place}): {} items", list.len()));
                list
            }
            Err(why) => {
                parser.gap(format!("{why} ({place})"));
                lacks.insert(kind);
                Vec::new()
            }
        };
        let (interfaces, flow_logs) = session.runtime.block_on(listings(&access, own));
        let interfaces = take(Kind::NetworkInterface, INTERFACES, interfaces);
        let flow_logs = take(Kind::FlowLogConfiguration, FLOW_LOGS, flow_logs);
        let owners = interfaces.iter().filter_map(|i| i["OwnerId"].as_str());
        places.extend(owners.map(|owner| format!("aws:{owner}:{}:", access.region.unwrap_or_default())));
        parser.interfaces(INTERFACES, access.region, &interfaces);
        parser.flow_logs(FLOW_LOGS, &flow_logs);
    }
    let mut gathered = parser.finish();
    for kind in [Kind::NetworkInterface, Kind::FlowLogConfiguration] {
        match (lacks.contains(&kind), kind) {
            (false, _) => gathered.listed_whole(kind),
            (true, Kind::NetworkInterface) => {
                gathered.listed_only(kind, std::mem::take(&mut places).into_iter())
            }
            (true, _) => {}
        }
    }
    gathered.requests = requests;
    gathered
}

const INTERFACES: &str = "DescribeNetworkInterfaces";
const FLOW_LOGS: &str = "DescribeFlowLogs";

type Listing = Result<Vec<Value>, String>;

async fn listings(access: &Access<'_>, known: Option<&SdkConfig>) -> (Listing, Listing) {
    let config = match known {
        Some(config) => config.clone(),
        None => super::config(access).await,
    };
    let mut builder = aws_sdk_ec2::config::Builder::from(&config);
    builder.set_endpoint_url(access.endpoint.map(str::to_owned));
    let client = Client::from_conf(builder.build());
    (interfaces(&client).await, flow_logs(&client).await)
}

async fn interfaces(client: &Client) -> Listing {
    let (mut all, mut token, mut pages) = (Vec::new(), None, Pages::of(INTERFACES));
    loop {
        let request = client.describe_network_interfaces().max_results(PAGE).set_next_token(token);
        let reply = request.send().await.map_err(|e| why(INTERFACES, &e))?;
        all.extend(reply.network_interfaces().iter().map(interface));
        token = pages.next(reply.next_token())?;
        if token.is_none() {
            return Ok(all);
        }
    }
}

async fn flow_logs(client: &Client) -> Listing {
    let (mut all, mut token, mut pages) = (Vec::new(), None, Pages::of(FLOW_LOGS));
    loop {
        let request = client.describe_flow_logs().max_results(PAGE).set_next_token(token);
        let reply = request.send().await.map_err(|e| why(FLOW_LOGS, &e))?;
        all.extend(reply.flow_logs().iter().map(flow_log));
        token = pages.next(reply.next_token())?;
        if token.is_none() {
            return Ok(all);
        }
    }
}

fn interface(i: &NetworkInterface) -> Value {
    let attachment = i.attachment().map(|a| {
        let time = a.attach_time().map(|t| Time::from_seconds(t.secs()));
        json!({ "InstanceId": a.instance_id(), "AttachTime": time })
    });
    let addresses =
        i.private_ip_addresses().iter().map(|a| json!({ "PrivateIpAddress": a.private_ip_address() }));
    let ipv6 = i.ipv6_addresses().iter().map(|a| json!({ "Ipv6Address": a.ipv6_address() }));
    let tags = i.tag_set().iter().map(|t| json!({ "Key": t.key(), "Value": t.value() }));
    json!({
        "NetworkInterfaceId": i.network_interface_id(),
        "AvailabilityZone": i.availability_zone(),
        "OwnerId": i.owner_id(),
        "VpcId": i.vpc_id(),
        "SubnetId": i.subnet_id(),
        "Attachment": attachment,
        "PrivateIpAddresses": addresses.collect::<Vec<_>>(),
        "Ipv6Addresses": ipv6.collect::<Vec<_>>(),
        "TagSet": tags.collect::<Vec<_>>(),
    })
}

fn flow_log(f: &FlowLog) -> Value {
    json!({
        "FlowLogId": f.flow_log_id(),
        "ResourceId": f.resource_id(),
        "TrafficType": f.traffic_type().map(|t| t.as_str()),
        "LogFormat": f.log_format(),
        "MaxAggregationInterval": f.max_aggregation_interval(),
        "LogDestination": f.log_destination(),
        "LogGroupName": f.log_group_name(),
        "DeliverLogsStatus": f.deliver_logs_status(),
        "DeliverLogsErrorMessage": f.deliver_logs_error_message(),
    })
}
