//! What a link's owner orders, on its way to the I/O thread.

use std::{any::Any, sync::Arc, time::Duration};

use bytes::Bytes;
use rust_websocket_proto::{Delivery, MessageKind, http::Decision};

use crate::trace::ConnectionTrace;

/// What the owner of a listener gives with a decision and gets back with the accepted connection.
pub type Tag = Arc<dyn Any + Send + Sync>;

/// From a link's owner to the I/O thread, in order.
#[derive(Debug)]
pub(crate) enum Order {
    Send(MessageKind, Bytes, Delivery),
    Close(u16, String),
    Leave,
    /// What becomes of the request that was reported.
    Decide(Box<(Decision, Option<Tag>)>),
    /// The owner is gone: leave unless a close handshake is under way, report nothing any more.
    Abandon,
    /// There is room for messages again.
    Resume,
    /// Somebody waits until all that was ordered before is done.
    BeginTurn,
    /// The owner has had the chance to answer what was reported.
    SettleFault,
    SetHeartbeatInterval(Option<Duration>),
    SetCloseTimeout(Duration),
    SetNoDelay(bool),
    SetUnreliableLifetime(Option<Duration>),
    SetTrace(Option<ConnectionTrace>),
}

/// Orders of one connection in the order in which they were given. Mostly there is one, which needs no memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    first: Option<Order>,
    others: Vec<Order>,
}

impl Orders {
    /// Memory for so many beside the first is kept by whoever mostly gets one.
    const FEW: usize = 4;
    /// And for so many by whoever gets more.
    const MANY: usize = 256;

    pub(crate) fn push(&mut self, order: Order) {
        match self.first {
            None => self.first = Some(order),
            Some(_) => self.others.push(order),
        }
    }

    /// Takes the orders one by one.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Order> {
        self.first.take().into_iter().chain(self.others.drain(..))
    }

    /// Keeps memory for about as many as there were.
    pub(crate) fn release_memory(&mut self, were: usize) {
        let kept = if were > Self::FEW { Self::MANY } else { Self::FEW };
        if self.others.capacity() > kept {
            self.others.shrink_to(kept);
        }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use rust_websocket_proto::MessageKind;

    use super::*;

    fn filled(count: usize) -> Orders {
        let mut orders = Orders::default();
        for number in 0..count {
            let payload = Bytes::copy_from_slice(&[number as u8]);
            orders.push(Order::Send(MessageKind::Binary, payload, Delivery::Reliable));
        }
        orders
    }

    fn carry_out(orders: &mut Orders) -> Vec<u8> {
        let count = orders.len();
        let numbers = orders.drain().map(|order| match order {
            Order::Send(_, payload, _) => payload[0],
            _ => unreachable!(),
        });
        let numbers = numbers.collect();
        orders.release_memory(count);
        numbers
    }

    #[test]
    fn orders_keep_their_order() {
        for count in [0, 1, 2, 100] {
            assert!(carry_out(&mut filled(count)).into_iter().eq(0..count as u8));
        }
    }

    #[test]
    fn a_burst_does_not_keep_its_memory() {
        let mut orders = filled(10_000);
        carry_out(&mut orders);
        assert!(orders.others.capacity() <= Orders::MANY);
        orders.push(Order::Leave);
        orders.drain().for_each(drop);
        orders.release_memory(1);
        assert!(orders.others.capacity() <= Orders::FEW, "one order needs none");
    }
}
