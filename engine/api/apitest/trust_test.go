package apitest

import (
	"errors"
	"strings"
	"testing"

	"decenter/engine/api"
)

func TestLifeOfAStatement(t *testing.T) {
	ctx, c := bounded(t), New()
	defer c.Close()
	owner, guest := c.As(Owner, "s1"), c.As(Guest, "s2")
	if _, err := c.Propose(ctx, api.ProposeRequest{Kind: api.StatementEject, Key: Fingerprint("s3")}); !strings.Contains(err.Error(), "as:ACCOUNT") {
		t.Fatalf("root signs with nothing: %v", err)
	}
	p, err := owner.Propose(ctx, api.ProposeRequest{Kind: api.StatementEject, Key: Fingerprint("s3")})
	if err != nil || p.Account != Owner {
		t.Fatalf("%+v, %v", p, err)
	}
	c.SetVerifier(func(s api.Signed) error {
		if s.Signature != "good" {
			return errors.New("it does not fit")
		}
		return nil
	})
	if _, err := guest.Declare(ctx, api.Signed{Line: p.Line, Signature: "bad"}); api.CodeOf(err) != api.CodeDenied {
		t.Fatalf("a wrong signature gave %v", err)
	}
	// Whoever brings it: its signature counts.
	if s, err := guest.Declare(ctx, api.Signed{Line: p.Line, Signature: "good"}); err != nil || s.Kind != api.StatementEject || s.Account != Owner {
		t.Fatalf("%+v, %v", s, err)
	}
	forged := strings.Replace(p.Line, Owner, Guest, 1)
	if _, err := guest.Declare(ctx, api.Signed{Line: forged, Signature: "good"}); api.CodeOf(err) != api.CodeDenied {
		t.Fatalf("a guest ejected: %v", err)
	}
	trust, err := guest.Trust(ctx)
	if err != nil || len(trust.Statements) != 1 || trust.Statements[0].Signed.Line != p.Line {
		t.Fatalf("%+v, %v", trust, err)
	}
	sats, err := c.Satellites(ctx)
	if err != nil || sats.Satellites[2].State != api.SatelliteLeft {
		t.Fatalf("after the ejection: %+v, %v", sats, err)
	}
}

func TestAuditFindsWhatWasAsked(t *testing.T) {
	ctx, c := bounded(t), New()
	defer c.Close()
	c.AddVM(api.VM{Name: "web-1"})
	guest := c.As(Guest, "s2")
	c.FailCall("Delete", api.Errorf(api.CodeDenied, "not yours"))
	if _, err := guest.Delete(ctx, api.DeleteRequest{VM: "web-1", Confirm: "web-1"}); err == nil {
		t.Fatal("deleted")
	}
	for range 3 {
		if _, err := guest.Search(ctx, api.Query{}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := c.Audit(ctx, api.AuditRequest{Verify: true})
	if err != nil || len(all.Entries) != 2 || all.Entries[0].Count+all.Entries[1].Count != 3 || len(all.Chains) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	denied := api.Query{Filters: []api.Filter{{Key: api.KeyVerdict, Values: []string{"deny"}}, {Key: api.KeyAction, Values: []string{"read"}, Not: true}}}
	if r, err := c.Audit(ctx, api.AuditRequest{Query: denied}); err != nil || len(r.Entries) != 1 || r.Entries[0].Object != "web-1" {
		t.Fatalf("%+v, %v", r, err)
	}
	c.Silence("s2")
	if r, err := c.Audit(ctx, api.AuditRequest{}); err != nil || len(r.Entries) != 0 || len(r.Silent) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
}
