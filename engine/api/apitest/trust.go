package apitest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
)

// Name is the constellation's.
const Name = "home"

// Owner is the account that owns it, and Guest one that owns nothing.
const (
	Owner = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	Guest = "1BitcoinEaterAddressDontSendf59kuE"
)

// Fingerprint gives the fingerprint of the key that something of that name has.
func Fingerprint(name string) string {
	sum := sha256.Sum256([]byte("key of " + name))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// trust is what was declared.
type trust struct {
	owners     []string
	statements []api.Statement // in force, oldest first
	verify     func(api.Signed) error
}

// SetVerifier has fn judge each signature that is declared; without it all are right.
func (c *Constellation) SetVerifier(fn func(api.Signed) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trust.verify = fn
}

// SetOwners replaces the accounts that own the constellation.
func (c *Constellation) SetOwners(accounts ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trust.owners = accounts
}

// SetLogin makes an account's Hello tell the scope, key and end of its login.
func (c *Constellation) SetLogin(account string, scope api.Scope, key string, until *time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logins[account] = api.Hello{Scope: scope, Key: key, Until: until}
}

// Refuse makes a satellite answer searches with a refusal.
func (c *Constellation) Refuse(name, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = append(c.refused, api.Refusal{Satellite: name, Reason: reason})
}

// AddStranger puts a machine that nobody admitted on a cable: its MAC is its name, and its address the port.
func (c *Constellation) AddStranger(mac, port string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.satellites = append(c.satellites, api.Satellite{Name: mac, State: api.SatelliteStranger, Address: port})
}

// refuses tells whether a satellite does. c.mu is held.
func (c *Constellation) refuses(name string) bool {
	return slices.ContainsFunc(c.refused, func(r api.Refusal) bool { return r.Satellite == name })
}

// Trust implements api.Service.
func (v view) Trust(ctx context.Context) (api.TrustReply, error) {
	if err := v.begin(ctx, "Trust"); err != nil {
		return api.TrustReply{}, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	r := api.TrustReply{Constellation: Name, Owners: slices.Clone(v.c.trust.owners), Statements: slices.Clone(v.c.trust.statements)}
	slices.SortStableFunc(r.Statements, func(a, b api.Statement) int { return b.Time.Compare(a.Time) })
	return r, nil
}

// Propose implements api.Service.
func (v view) Propose(ctx context.Context, r api.ProposeRequest) (api.Proposal, error) {
	if err := v.begin(ctx, "Propose", string(r.Kind)); err != nil {
		return api.Proposal{}, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	account := r.Account
	if account == "" {
		account = v.account
	}
	if account == api.AccountLocal {
		return api.Proposal{}, &api.Error{Code: api.CodeInvalid, Message: "root has no key to sign with", Hint: "say which account signs: add as:ACCOUNT"}
	}
	at := v.c.now().UTC().Format(time.RFC3339)
	var line string
	switch r.Kind {
	case api.StatementRevoke:
		key := r.Key
		if key == "" {
			key = "every"
		}
		line = fmt.Sprintf("decenter revoke 1 as %s key %s at %s", account, key, at)
	case api.StatementAdmit, api.StatementEject:
		line = fmt.Sprintf("decenter %s 1 in %s as %s satellite %s at %s", r.Kind, Name, account, r.Key, at)
	case api.StatementGrant:
		object := r.Object
		if i, err := v.c.find(object); err == nil {
			object = "vm:" + strings.ReplaceAll(v.c.vms[i].ID, "-", "")
		} else if object != "all" && !strings.HasPrefix(object, "array") && !strings.HasPrefix(object, "vm:") {
			return api.Proposal{}, err
		}
		line = fmt.Sprintf("decenter grant 1 in %s as %s %s to %s on %s at %s", Name, account, r.Role, r.Grantee, object, at)
	default:
		return api.Proposal{}, api.Errorf(api.CodeInvalid, "nothing is proposed as %q", r.Kind)
	}
	return api.Proposal{Line: line, Account: account}, nil
}

// Declare implements api.Service.
func (v view) Declare(ctx context.Context, signed api.Signed) (api.Statement, error) {
	err := v.begin(ctx, "Declare")
	var s api.Statement
	if err == nil {
		s, err = v.declare(signed)
	}
	v.record("Declare", signed.Line, err)
	return s, err
}

func (v view) declare(signed api.Signed) (api.Statement, error) {
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := read(signed)
	if err != nil {
		return s, err
	}
	if c.trust.verify != nil {
		if err := c.trust.verify(signed); err != nil {
			return s, &api.Error{Code: api.CodeDenied, Message: "the signature is not that of " + s.Account + ": " + err.Error(),
				Hint: "sign the whole line, as that account, and nothing else"}
		}
	}
	rules := s.Kind == api.StatementAdmit || s.Kind == api.StatementEject || s.Kind == api.StatementGrant && s.Object == "all"
	if rules && !slices.Contains(c.trust.owners, s.Account) {
		return s, &api.Error{Code: api.CodeDenied, Message: s.Account + " does not own the constellation", Hint: "an owner signs this: `trust` names them"}
	}
	c.take(s)
	return s, nil
}

// take puts a statement in the place of what it replaces. c.mu is held.
func (c *Constellation) take(s api.Statement) {
	slot := func(s api.Statement) string {
		kind := s.Kind
		if kind == api.StatementEject {
			kind = api.StatementAdmit // of one satellite one of them holds, whoever signed
		}
		if kind == api.StatementAdmit {
			return string(kind) + s.Key
		}
		return strings.Join([]string{string(kind), s.Account, s.Key, s.Grantee, s.Object}, " ")
	}
	c.trust.statements = slices.DeleteFunc(c.trust.statements, func(o api.Statement) bool {
		ended := s.Kind == api.StatementRevoke && o.Kind == api.StatementDelegate && o.Account == s.Account &&
			(s.Key == "" || s.Key == o.Key) && !o.Time.After(s.Time)
		return ended || slot(o) == slot(s)
	})
	c.trust.statements = append(c.trust.statements, s)
	for i := range c.satellites {
		if n := &c.satellites[i]; s.Kind == api.StatementEject && n.ID == s.Key {
			n.State = api.SatelliteLeft
			seen := *n
			c.tell(api.Event{Kind: api.EventSatellite, Node: &seen})
		}
	}
}

// forms are the words of each statement's line: what is in capitals stands for a field.
var forms = []string{
	"decenter delegate 1 as ACCOUNT to KEY scope SCOPE from TIME until UNTIL",
	"decenter revoke 1 as ACCOUNT key KEY at TIME",
	"decenter admit 1 in NAME as ACCOUNT satellite KEY at TIME",
	"decenter eject 1 in NAME as ACCOUNT satellite KEY at TIME",
	"decenter grant 1 in NAME as ACCOUNT ROLE to GRANTEE on OBJECT at TIME",
}

// read gives a statement as a person reads it.
func read(signed api.Signed) (api.Statement, error) {
	words := strings.Split(signed.Line, " ")
	for _, form := range forms {
		fields, ok := fieldsOf(strings.Split(form, " "), words)
		if !ok {
			continue
		}
		at, err := time.Parse(time.RFC3339, fields["TIME"])
		if err != nil || fields["NAME"] != "" && fields["NAME"] != Name {
			break
		}
		s := api.Statement{Kind: api.StatementKind(words[1]), Account: fields["ACCOUNT"], Key: fields["KEY"], Scope: api.Scope(fields["SCOPE"]),
			Role: api.Role(fields["ROLE"]), Grantee: fields["GRANTEE"], Object: fields["OBJECT"], Time: at, Signed: signed}
		if s.Key == "every" {
			s.Key = ""
		}
		if until, err := time.Parse(time.RFC3339, fields["UNTIL"]); err == nil {
			s.Until = &until
		}
		return s, nil
	}
	return api.Statement{}, &api.Error{Code: api.CodeInvalid, Message: "this is not a statement of " + Name, Hint: "admit, eject, grant and revoke give the line to sign"}
}

// fieldsOf reads words by a form.
func fieldsOf(form, words []string) (map[string]string, bool) {
	if len(form) != len(words) {
		return nil, false
	}
	fields := map[string]string{}
	for i, f := range form {
		switch {
		case f == strings.ToUpper(f) && f != "1":
			fields[f] = words[i]
		case f != words[i]:
			return nil, false
		}
	}
	return fields, true
}
