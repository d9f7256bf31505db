package api

import (
	"strings"
	"time"
)

// About says in a few words what a statement is about, without who signed it and when.
func (s Statement) About() string {
	switch s.Kind {
	case StatementDelegate:
		return "to " + s.Key + ", scope " + string(s.Scope)
	case StatementRevoke:
		if s.Key == "" {
			return "every key"
		}
		return s.Key
	case StatementGrant:
		return string(s.Role) + " to " + s.Grantee + " on " + s.Object
	}
	return s.Key
}

// Has tells whether every word is part of the statement's kind, signer or subject, or begins one of its times as RFC
// 3339 writes it, all without regard to case.
func (s Statement) Has(words []string) bool {
	text := strings.ToLower(string(s.Kind) + "\n" + s.Account + "\n" + s.About())
	times := []string{strings.ToLower(s.Time.UTC().Format(time.RFC3339))}
	if s.Until != nil {
		times = append(times, strings.ToLower(s.Until.UTC().Format(time.RFC3339)))
	}
	for _, w := range words {
		w = strings.ToLower(w)
		found := strings.Contains(text, w)
		for _, t := range times {
			found = found || strings.HasPrefix(t, w)
		}
		if !found {
			return false
		}
	}
	return true
}

// Full tells whether the scope takes nothing away. The empty scope is of who has no login at all: root on the satellite.
func (s Scope) Full() bool { return s == "" || s == ScopeAll }
