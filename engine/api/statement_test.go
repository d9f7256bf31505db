package api

import (
	"testing"
	"time"
)

func TestStatementsInWords(t *testing.T) {
	until := time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC)
	s := Statement{Kind: StatementDelegate, Account: "bc1qAlice", Key: "SHA256:abc", Scope: ScopeRead, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Until: &until}
	for _, words := range [][]string{nil, {"delegate"}, {"ALICE", "sha256:ABC"}, {"2026-01"}, {"2026-02-02T00"}, {"scope read"}} {
		if !s.Has(words) {
			t.Errorf("%q is not found in %q", words, s.About())
		}
	}
	for _, words := range [][]string{{"revoke"}, {"alice", "bob"}, {"026-01"}, {"2026-03"}} {
		if s.Has(words) {
			t.Errorf("%q is found in %q", words, s.About())
		}
	}
	for want, s := range map[string]Statement{
		"every key":                      {Kind: StatementRevoke},
		"SHA256:abc":                     {Kind: StatementEject, Key: "SHA256:abc"},
		"operator to bc1qBob on array@s": {Kind: StatementGrant, Role: RoleOperator, Grantee: "bc1qBob", Object: "array@s"},
	} {
		if got := s.About(); got != want {
			t.Errorf("%+v is about %q, want %q", s, got, want)
		}
	}
	if !Scope("").Full() || !ScopeAll.Full() || ScopeOperate.Full() || ScopeRead.Full() {
		t.Error("a scope that takes something away is taken for all")
	}
}
