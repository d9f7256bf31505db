package apitest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
)

// actions are the methods as audit calls them; what is missing here is read.
var actions = map[string]string{
	"Hello": "login", "Create": "create", "Control": "control", "Delete": "delete", "Cancel": "cancel", "Console": "console",
	"Propose": "propose", "Declare": "declare", "TreePriority": "set",
}

// via tells how the view's account came.
func (v view) via() string {
	if v.account == api.AccountLocal {
		return "socket"
	}
	return "ssh"
}

// record notes a call: denied where it was made to fail so, else allowed. Reads in a row are one entry. They do not move
// the clock, so that what is made next has the same time whoever looked before.
func (v view) record(method, object string, fault error) {
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	e := api.AuditEntry{Satellite: v.satellite, Time: c.clock, Account: v.account, Key: c.logins[v.account].Key, Via: v.via(),
		Action: actions[method], Object: object, Verdict: api.VerdictAllow, Reason: "owns the constellation"}
	switch {
	case v.account == api.AccountLocal:
		e.Reason = "root on the satellite"
	case !slices.Contains(c.trust.owners, v.account):
		e.Reason = "any account may"
	}
	if e.Action == "" {
		e.Action = "read"
	}
	if method == "Declare" {
		if s, err := read(api.Signed{Line: object}); err == nil {
			e.Action, e.Object = string(s.Kind), s.About()
		}
	}
	if api.CodeOf(fault) == api.CodeDenied && fault != nil {
		e.Verdict, e.Reason = api.VerdictDeny, fault.Error()
	}
	log := c.log[v.satellite]
	if n := len(log); n > 0 && e.Action == "read" {
		if last := &log[n-1]; last.Action == "read" && last.Account == e.Account && last.Object == e.Object && last.Verdict == e.Verdict {
			last.Count = max(last.Count, 1) + 1
			return
		}
	}
	e.Seq = uint64(len(log)) + 1
	c.log[v.satellite] = append(log, e)
}

// AddAudit adds an entry to its satellite's log; what e leaves empty is filled in.
func (c *Constellation) AddAudit(e api.AuditEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fill(&e.Satellite, c.satellites[0].Name)
	fill(&e.Seq, uint64(len(c.log[e.Satellite]))+1)
	fill(&e.Account, Owner)
	fill(&e.Via, "ssh")
	fill(&e.Action, "read")
	fill(&e.Verdict, api.VerdictAllow)
	if e.Time.IsZero() {
		e.Time = c.now()
	}
	c.log[e.Satellite] = append(c.log[e.Satellite], e)
}

// BreakLog makes a satellite's log be found broken.
func (c *Constellation) BreakLog(satellite, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken[satellite] = how
}

// Audit implements api.Service.
func (v view) Audit(ctx context.Context, r api.AuditRequest) (api.AuditReply, error) {
	if err := v.begin(ctx, "Audit"); err != nil {
		return api.AuditReply{}, err
	}
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	reply := api.AuditReply{Silent: c.silent(), Refused: slices.Clone(c.refused)}
	for _, n := range c.nodes() {
		if !c.answers(n.Name) {
			continue
		}
		found := 0
		for _, e := range slices.Backward(c.log[n.Name]) {
			if found < api.MaxAudit && inAudit(r.Query, e) {
				reply.Entries = append(reply.Entries, e)
				found++
			}
		}
		if r.Verify {
			reply.Chains = append(reply.Chains, c.chain(n.Name))
		}
	}
	slices.SortStableFunc(reply.Entries, func(a, b api.AuditEntry) int { return b.Time.Compare(a.Time) })
	if l := r.Query.Limit; l > 0 && len(reply.Entries) > l {
		reply.Entries = reply.Entries[:l]
	}
	return reply, nil
}

// chain walks a satellite's log. c.mu is held.
func (c *Constellation) chain(satellite string) api.AuditChain {
	sum := sha256.New()
	for _, e := range c.log[satellite] {
		fmt.Fprintf(sum, "%d %s %s %s %s %s\n", e.Seq, e.Time, e.Account, e.Action, e.Object, e.Verdict)
	}
	ch := api.AuditChain{Satellite: satellite, Entries: uint64(len(c.log[satellite])), Head: hex.EncodeToString(sum.Sum(nil)), Broken: c.broken[satellite]}
	if ch.Entries > 0 {
		ch.First = 1
	}
	return ch
}

// inAudit tells whether every word and every filter holds.
func inAudit(q api.Query, e api.AuditEntry) bool {
	fields := map[string]string{
		api.KeyAccount: e.Account, api.KeyAction: e.Action, api.KeyObject: e.Object, api.KeyVerdict: string(e.Verdict),
		api.KeyReason: e.Reason, api.KeySatellite: e.Satellite, api.KeyKey: e.Key, api.KeyVia: e.Via,
	}
	for _, w := range q.Words {
		if !slices.ContainsFunc(mapValues(fields), func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(w)) }) {
			return false
		}
	}
	for _, f := range q.Filters {
		if f.Key == api.KeySince {
			since, err := time.Parse(time.RFC3339, f.Values[0])
			if err != nil || e.Time.Before(since) {
				return false
			}
			continue
		}
		plain := strings.NewReplacer("/", "_") // which * does not stand for
		have := plain.Replace(strings.ToLower(fields[f.Key]))
		if slices.ContainsFunc(f.Values, func(want string) bool { return compare(api.OpIs, have, plain.Replace(strings.ToLower(want))) }) == f.Not {
			return false
		}
	}
	return true
}

func mapValues(m map[string]string) []string {
	var all []string
	for _, v := range m {
		all = append(all, v)
	}
	return all
}
