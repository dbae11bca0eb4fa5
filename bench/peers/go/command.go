package main

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// command is one message of the billing contract. Sums are in thousandths.
type command struct {
	ID            string // As the producer gave it; a random UUID where it gave none.
	UUID          uuid   // The journal's key.
	Hash          string // SHA-256 of the body, in hex.
	CorrelationID string
	Traceparent   string

	Type  string
	User  int64
	Sum   int64
	Payer int64  // Of a transfer.
	Event string // Of a lock: lock, withdraw or unlock.
	Hold  string // Of a lock: its uuid.
}

// refusal says why a message or a command is not carried out.
type refusal struct {
	Code   string
	Reason string
}

func (r *refusal) Error() string { return r.Code + ": " + r.Reason }

func refuse(code, format string, args ...interface{}) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

type body struct {
	Type    string          `json:"type"`
	ID      string          `json:"id"`
	UserID  int64           `json:"userId"`
	Sum     json.RawMessage `json:"sum"`
	Details json.RawMessage `json:"details"`
}

type details struct {
	UserFromID int64  `json:"userFromId"`
	Event      string `json:"event"`
	UUID       string `json:"uuid"`
}

// parse reads a delivery; what is no command is refused as malformed, schema or unknown_type.
func parse(d *amqp.Delivery) (*command, error) {
	var b body
	if err := json.Unmarshal(d.Body, &b); err != nil {
		return nil, refuse("malformed", "%v", err)
	}
	c := &command{ID: d.MessageId, CorrelationID: d.CorrelationId, Type: b.Type, User: b.UserID}
	if c.ID == "" {
		c.ID = b.ID
	}
	if c.ID == "" {
		c.ID = randomUUID().String()
	}
	c.UUID = uuidOfID(c.ID)
	hash := sha256.Sum256(d.Body)
	c.Hash = hex.EncodeToString(hash[:])
	c.Traceparent, _ = d.Headers["traceparent"].(string)

	var err error
	if c.Sum, err = parseSum(b.Sum); err != nil {
		return nil, refuse("schema", "sum: %v", err)
	}
	if c.User < 1 {
		return nil, refuse("schema", "userId: missing, or not above zero")
	}
	return c, c.takeDetails(b.Details)
}

func (c *command) takeDetails(raw json.RawMessage) error {
	var d details
	// PHP's encoder writes an empty object as an empty array.
	if len(raw) > 0 && string(raw) != "[]" {
		if err := json.Unmarshal(raw, &d); err != nil {
			return refuse("schema", "details: %v", err)
		}
	}
	switch c.Type {
	case "income", "withdraw":
	case "transfer":
		if c.Payer = d.UserFromID; c.Payer < 1 {
			return refuse("schema", "details.userFromId: missing, or not above zero")
		}
	case "lock":
		c.Event, c.Hold = d.Event, d.UUID
		if c.Event != "lock" && c.Event != "withdraw" && c.Event != "unlock" {
			return refuse("schema", "details.event: not lock, withdraw or unlock")
		}
		if c.Hold == "" || len(c.Hold) > 255 {
			return refuse("schema", "details.uuid: missing, or too long")
		}
	default:
		return refuse("unknown_type", "nothing serves the type %q", c.Type)
	}
	return nil
}

// parseSum reads whole units with up to three decimals, as a number or as a text.
func parseSum(raw json.RawMessage) (int64, error) {
	text := string(raw)
	if len(text) > 1 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if whole == "" || len(fraction) > 3 || strings.HasSuffix(text, ".") {
		return 0, fmt.Errorf("not a number with up to three decimals")
	}
	digits := whole + fraction + "000"[len(fraction):]
	for _, digit := range digits {
		if digit < '0' || digit > '9' {
			return 0, fmt.Errorf("not a number with up to three decimals")
		}
	}
	sum, err := strconv.ParseInt(digits, 10, 64)
	if err == nil && sum == 0 {
		err = fmt.Errorf("not above zero")
	}
	return sum, err
}

// keys are what the command locks, sorted.
func (c *command) keys() []string {
	keys := []string{fmt.Sprintf("iq:lock:user:%d", c.User)}
	if c.Type == "transfer" && c.Payer != c.User {
		keys = append(keys, fmt.Sprintf("iq:lock:user:%d", c.Payer))
	}
	if c.Hold != "" {
		keys = append(keys, "iq:lock:hold:"+c.Hold)
	}
	sort.Strings(keys)
	return keys
}

// fits tells whether a balance can take the sum on top.
func fits(balance, sum int64) bool { return balance <= math.MaxInt64-sum }

type uuid [16]byte

// The name space of ids that are no UUIDs: RFC 4122's for object identifiers.
var oidSpace = uuid{0x6b, 0xa7, 0xb8, 0x12, 0x9d, 0xad, 0x11, 0xd1,
	0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

func (u uuid) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// nameUUID is RFC 4122's version 5.
func nameUUID(space uuid, name string) (u uuid) {
	digest := sha1.Sum(append(space[:], name...))
	copy(u[:], digest[:])
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}

func randomUUID() (u uuid) {
	if _, err := rand.Read(u[:]); err != nil {
		panic(err)
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

func uuidOfID(id string) uuid {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		var u uuid
		plain := strings.ReplaceAll(id, "-", "")
		if n, err := hex.Decode(u[:], []byte(plain)); err == nil && n == len(u) {
			return u
		}
	}
	return nameUUID(oidSpace, id)
}
