package main

import (
	"encoding/json"
	"time"
)

// event is what subscribers are told. ID is the same each time it is published.
type event struct {
	Event      string          `json:"event"`
	ID         string          `json:"id"`
	CommandID  string          `json:"commandId"`
	OccurredAt string          `json:"occurredAt"`
	Data       json.RawMessage `json:"data"`
}

// movement is the data of a command that was carried out.
type movement struct {
	UserID      int64  `json:"userId"`
	UserFromID  int64  `json:"userFromId,omitempty"`
	Event       string `json:"event,omitempty"`
	UUID        string `json:"uuid,omitempty"`
	Sum         int64  `json:"sum"`
	Balance     *int64 `json:"balance"`
	BalanceFrom *int64 `json:"balanceFrom,omitempty"`
}

// rejection is the data of a command that was refused.
type rejection struct {
	Type   string `json:"type"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// verdict is what became of a command, as the journal keeps it.
type verdict struct {
	Outcome string // done, rejected or invalid
	Code    string
	Reason  string
	Events  []event
}

func done(c *command, balance, payerBalance *int64) (*verdict, error) {
	e, err := newEvent(c, "balance."+c.Type, movement{
		UserID: c.User, UserFromID: c.Payer, Event: c.Event, UUID: c.Hold, Sum: c.Sum,
		Balance: balance, BalanceFrom: payerBalance,
	})
	return &verdict{Outcome: "done", Events: []event{e}}, err
}

func rejected(c *command, r *refusal) (*verdict, error) {
	e, err := newEvent(c, "command.rejected", rejection{c.Type, r.Code, r.Reason})
	return &verdict{Outcome: "rejected", Code: r.Code, Reason: r.Reason, Events: []event{e}}, err
}

func newEvent(c *command, name string, data interface{}) (event, error) {
	raw, err := json.Marshal(data)
	return event{
		Event:      name,
		ID:         nameUUID(c.UUID, "0").String(),
		CommandID:  c.ID,
		OccurredAt: time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		Data:       raw,
	}, err
}
