package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	eventExchange = "billing.events"
	deadQueue     = "billing.dead"
	// Most messages that one command sends out. The library blocks where a confirm finds no room.
	messagesPerCommand = 16
)

// publisher has a channel of its own, so that its confirms are those of one worker's messages.
//
// They are read from NotifyPublish: this version of the library registers a deferred confirmation
// after the message has been written, and a confirm that is quicker than that is lost.
type publisher struct {
	channel  *amqp.Channel
	confirms chan amqp.Confirmation
	returns  chan amqp.Return
	pending  int
}

func newPublisher(connection *amqp.Connection) (*publisher, error) {
	channel, err := connection.Channel()
	if err != nil {
		return nil, err
	}
	p := &publisher{
		channel:  channel,
		confirms: channel.NotifyPublish(make(chan amqp.Confirmation, messagesPerCommand)),
		returns:  channel.NotifyReturn(make(chan amqp.Return, messagesPerCommand)),
	}
	return p, channel.Confirm(false)
}

// publish writes the events of a verdict and, unless the command is done, a copy for the dead. c is
// nil where the delivery is no command.
func (p *publisher) publish(d *amqp.Delivery, c *locked, v *verdict) error {
	for _, e := range v.Events {
		body, err := json.Marshal(e)
		if err != nil {
			return err
		}
		headers := amqp.Table{
			"cloudEvents_id":          e.ID,
			"cloudEvents_source":      "go",
			"cloudEvents_type":        e.Event,
			"cloudEvents_time":        e.OccurredAt,
			"cloudEvents_specversion": "1.0",
		}
		if c.Traceparent != "" {
			headers["traceparent"] = c.Traceparent
		}
		correlation := c.CorrelationID
		if correlation == "" {
			correlation = c.ID
		}
		if err := p.send(eventExchange, e.Event, false, amqp.Publishing{
			Headers: headers, ContentType: "application/json", DeliveryMode: amqp.Persistent,
			CorrelationId: correlation, MessageId: e.ID, Body: body,
		}); err != nil {
			return err
		}
	}
	if v.Outcome == "done" {
		return nil
	}
	return p.send("", deadQueue, true, deadCopy(d, c, v))
}

func deadCopy(d *amqp.Delivery, c *locked, v *verdict) amqp.Publishing {
	headers := amqp.Table{}
	for name, value := range d.Headers {
		headers[name] = value
	}
	headers["x-iq-code"] = v.Code
	headers["x-iq-reason"] = v.Reason
	headers["x-iq-outcome"] = v.Outcome
	headers["x-iq-attempts"] = int64(1)
	headers["x-iq-plugin"] = "go/1"
	headers["x-iq-at"] = time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	headers["x-iq-queue"] = commandQueue
	headers["x-iq-type"] = ""
	if c != nil {
		headers["x-iq-type"] = c.Type
	}
	return amqp.Publishing{
		Headers: headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: amqp.Persistent, Priority: d.Priority, CorrelationId: d.CorrelationId,
		ReplyTo: d.ReplyTo, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type,
		AppId: d.AppId, Body: d.Body,
	}
}

func (p *publisher) send(exchange, key string, mandatory bool, message amqp.Publishing) error {
	err := p.channel.PublishWithContext(context.Background(), exchange, key, mandatory, false, message)
	if err == nil {
		p.pending++
	}
	return err
}

// await returns when the broker has taken over all that was published.
func (p *publisher) await() error {
	for ; p.pending > 0; p.pending-- {
		if confirm, open := <-p.confirms; !open || !confirm.Ack {
			return errors.New("the broker did not take a message over")
		}
	}
	// A message that no queue wants is returned before it is confirmed.
	select {
	case r := <-p.returns:
		return errors.New("no queue takes what is published to " + r.RoutingKey)
	default:
		return nil
	}
}
