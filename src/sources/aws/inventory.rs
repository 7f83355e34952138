//! Which interfaces and flow logs there are, as EC2 lists them, in the form in which the AWS command line prints them.

use super::{runtime, why};
use crate::evidence::{Kind, Time};
use crate::sources::flow_logs::Parser;
use crate::sources::{Context, Gathered};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{FlowLog, NetworkInterface};
use serde_json::{Value, json};

/// Items of a page.
const PAGE: i32 = 1_000;
/// Most pages of a listing.
const PAGES: usize = 10_000;

/// Lists interfaces and flow logs of the account and region that the source's credentials reach.
///
/// # Errors
/// No runtime to wait in. A listing that fails is a gap.
pub fn inventory(context: &Context<'_>, now: Time) -> Result<Gathered, String> {
    let access = context.source.access();
    let (interfaces, flow_logs) = runtime()?.block_on(async {
        let mut builder = aws_sdk_ec2::config::Builder::from(&super::config(&access).await);
        builder.set_endpoint_url(access.endpoint.map(str::to_owned));
        let client = Client::from_conf(builder.build());
        (interfaces(&client).await, flow_logs(&client).await)
    });
    let mut parser = Parser::new(context, now);
    let (mut listed, mut requests, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, list) in [(Kind::NetworkInterface, interfaces), (Kind::FlowLogConfiguration, flow_logs)] {
        match list {
            Ok(list) if kind == Kind::NetworkInterface => {
                requests.push(format!("DescribeNetworkInterfaces: {} interfaces", list.len()));
                parser.interfaces("DescribeNetworkInterfaces", &list);
                listed.push(kind);
            }
            Ok(list) => {
                requests.push(format!("DescribeFlowLogs: {} flow logs", list.len()));
                parser.flow_logs("DescribeFlowLogs", &list);
                listed.push(kind);
            }
            Err(why) => gaps.push(why),
        }
    }
    let mut gathered = parser.finish();
    listed.into_iter().for_each(|kind| gathered.listed_whole(kind));
    gaps.into_iter().for_each(|why| gathered.gap(why));
    gathered.requests = requests;
    Ok(gathered)
}

async fn interfaces(client: &Client) -> Result<Vec<Value>, String> {
    let (mut all, mut token): (Vec<Value>, Option<String>) = (Vec::new(), None);
    for _ in 0..PAGES {
        let request = client.describe_network_interfaces().max_results(PAGE).set_next_token(token.clone());
        let reply = request.send().await.map_err(|e| why("DescribeNetworkInterfaces", &e))?;
        all.extend(reply.network_interfaces().iter().map(interface));
        match next(&token, reply.next_token()) {
            Ok(None) => return Ok(all),
            Ok(more) => token = more,
            Err(why) => return Err(format!("DescribeNetworkInterfaces: {why}")),
        }
    }
    Err(format!("DescribeNetworkInterfaces: more than {PAGES} pages"))
}

async fn flow_logs(client: &Client) -> Result<Vec<Value>, String> {
    let (mut all, mut token): (Vec<Value>, Option<String>) = (Vec::new(), None);
    for _ in 0..PAGES {
        let request = client.describe_flow_logs().max_results(PAGE).set_next_token(token.clone());
        let reply = request.send().await.map_err(|e| why("DescribeFlowLogs", &e))?;
        all.extend(reply.flow_logs().iter().map(flow_log));
        match next(&token, reply.next_token()) {
            Ok(None) => return Ok(all),
            Ok(more) => token = more,
            Err(why) => return Err(format!("DescribeFlowLogs: {why}")),
        }
    }
    Err(format!("DescribeFlowLogs: more than {PAGES} pages"))
}

/// The token of the next page, if there is one.
fn next(before: &Option<String>, token: Option<&str>) -> Result<Option<String>, &'static str> {
    match token.filter(|t| !t.is_empty()) {
        Some(t) if before.as_deref() == Some(t) => Err("a page leads to itself: the listing has no end"),
        other => Ok(other.map(str::to_owned)),
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
