package keycmd

import (
	"fmt"

	"decenter/keys"
	"decenter/keys/statement"
)

// explain says in words what a statement does, for whoever is about to sign it: "it" is the account that signs.
func explain(s statement.Statement) string {
	switch v := s.(type) {
	case statement.Delegation:
		return fmt.Sprintf("lets key %s act for it until %s, %s", v.Key, clock(v.Until), scopeInWords(v.Scope))
	case statement.Revocation:
		if v.Key == (keys.Fingerprint{}) {
			return fmt.Sprintf("ends all its logins and delegations made until %s", clock(v.At))
		}
		return fmt.Sprintf("ends its logins with key %s and its delegations to that key, made until %s", v.Key, clock(v.At))
	case statement.Membership:
		if v.Admit {
			return fmt.Sprintf("admits satellite %s to constellation %s", v.Satellite, v.Constellation)
		}
		return fmt.Sprintf("ejects satellite %s from constellation %s", v.Satellite, v.Constellation)
	case statement.Grant:
		if v.Role == statement.None {
			return fmt.Sprintf("takes back the role that %s has with %s in constellation %s", v.To, objectInWords(v.Object), v.Constellation)
		}
		return fmt.Sprintf("makes %s %s of %s in constellation %s", v.To, v.Role, objectInWords(v.Object), v.Constellation)
	}
	return "is unknown to this program" // our own bug: Parse gives nothing else
}

func scopeInWords(s statement.Scope) string {
	switch s {
	case statement.Read:
		return "to look, and change nothing"
	case statement.Operate:
		return "to do all but what cannot be undone"
	}
	return "to do everything that the account may"
}

func objectInWords(o statement.Object) string {
	switch o {
	case statement.ObjectAll:
		return "everything"
	case statement.ObjectArray:
		return "all that the signer has"
	}
	return string(o)
}

// short abbreviates an account or a fingerprint so that a line stays within a terminal.
func short(text string) string {
	const head, tail = 14, 4
	if len(text) <= head+tail {
		return text
	}
	return text[:head] + "…" + text[len(text)-tail:]
}
