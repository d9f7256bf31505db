package grammar

import "decenter/engine/api"

// What is the same about statements that an account signs.
const signing = "The line to be signed is shown; you sign it with your wallet, as it is, and paste the signature. " +
	"Where nobody can be asked, the line is printed and the exit code is 8: declare takes it in, with its signature."

var asKey = Key{Name: KeyAs, Type: TypeAccount, Meaning: "the account that signs; yours if not given"}

// The rows about trust.
var (
	trust = Verb{
		Name: "trust", Summary: "list the owners, and the statements in force, newest first", View: true,
		Detail: "A statement is a line that an account signed: it admits or ejects a satellite, grants a role, delegates to a key or " +
			"revokes that. Every word must be part of its kind, its signer or what it is about, or begin its time.",
		Params:   []Param{{Name: "WORD", Type: TypeText, Optional: true, Many: true}},
		Examples: []Example{{"trust", ""}, {"trust admit", "the satellites that were admitted"}, {"trust --json", "with the lines and signatures"}},
	}
	admit = Verb{
		Name: "admit", Sign: api.StatementAdmit, Summary: "make a satellite one of the constellation; an owner signs it",
		Detail: "The fingerprint is that of the newcomer's own key: decenter engine --fingerprint tells it there. " + signing,
		Params: []Param{{Name: "KEY", Type: TypeFingerprint}},
		Keys:   []Key{asKey},
		Examples: []Example{
			{"admit " + exampleKey, ""},
		},
	}
	eject = Verb{
		Name: "eject", Sign: api.StatementEject, Summary: "put a satellite out of the constellation; an owner signs it",
		Detail: "The others end every connection to it within seconds; what runs on it goes on there. On a terminal you are asked to type " +
			"the name once more; a script gives it with confirm. " + signing,
		Params: []Param{{Name: "SATELLITE", Type: TypeSatellite, Kind: string(api.KindSatellite)}},
		Keys: []Key{
			{Name: KeyConfirm, Type: TypeSatellite, Meaning: "the satellite's name or fingerprint once more", Kind: string(api.KindSatellite)},
			asKey,
		},
		Examples: []Example{{"eject s3", "after asking"}, {"eject s3 confirm:s3", "without asking"}},
	}
	grant = Verb{
		Name: "grant", Sign: api.StatementGrant, Summary: "give an account a role; none takes it back",
		Detail: "An owner does everything; an operator all but what concerns trust; a reader looks; a tenant has VMs of its own, and is one " +
			"of all. You grant what is yours: on:array is all you have, on:array@s1 what you have on s1, a VM's name or id that VM; " +
			"on:all needs an owner. " + signing,
		Params: []Param{{Name: "ROLE", Type: TypeRole}, {Name: "ACCOUNT", Type: TypeAccount}},
		Keys: []Key{
			{Name: KeyOn, Type: TypeObject, Meaning: "what the role is about", Required: true, Kind: string(api.KindVM)},
			asKey,
		},
		Examples: []Example{
			{"grant operator " + exampleAccount + " on:web-1", ""},
			{"grant tenant " + exampleAccount + " on:all", ""},
			{"grant none " + exampleAccount + " on:web-1", ""},
		},
	}
	revoke = Verb{
		Name: "revoke", Sign: api.StatementRevoke, Summary: "end what a key may do for you: delegations and logins so far",
		Detail:   "It holds on every satellite within seconds, and for whoever is logged in. A key can be delegated to anew afterwards. " + signing,
		Params:   []Param{{Name: "KEY", Type: TypeKeyOrEvery}},
		Keys:     []Key{asKey},
		Examples: []Example{{"revoke " + exampleKey, ""}, {"revoke every", "after a laptop was lost"}},
	}
	declare = Verb{
		Name: "declare", Summary: "take in a signed statement, from whoever brings it",
		Detail: "It is `declare \"decenter admit 1 in …\" SIGNATURE`, with the line between quotes, exactly as it was signed. Without words, such lines, as decenter key prints them, are read " +
			"from the input, or lines and below each its signature.",
		Params:   []Param{{Name: "LINE", Type: TypeStatement, Optional: true}, {Name: "SIGNATURE", Type: TypeSignature, Optional: true}},
		Examples: []Example{{"declare", "with the statements as its input"}},
	}
	audit = Verb{
		Name: "audit", Summary: "find who was allowed or refused what, newest first", View: true,
		Detail: "All satellites are asked. Every word must be part of an entry, and every key must hold, as in a search: * is any run of characters, a comma means " +
			"either, a hyphen before the key means not. Reads in a row count as one entry. Each satellite keeps its entries as a chain: " +
			"verify:yes walks it, and tells where it is broken, and its head, which proves all before it if you keep it elsewhere. " +
			"A narrow screen gets the most needed columns, a pipe and --json all. An entry of reads bears the time of the first.",
		Params: []Param{{Name: "WORD", Type: TypeText, Optional: true, Many: true}},
		Keys: []Key{
			{Name: api.KeyAccount, Type: TypeText, Meaning: "who asked", Filter: true},
			{Name: api.KeyAction, Type: TypeText, Meaning: "what was asked for: login, read, create, control, console, delete, cancel, propose, declare, set, trust or audit", Filter: true},
			{Name: api.KeyObject, Type: TypeText, Meaning: "what it was about", Filter: true, Kind: "*"},
			{Name: api.KeyVerdict, Type: TypeVerdict, Meaning: "how it was decided", Filter: true},
			{Name: api.KeyReason, Type: TypeText, Meaning: "why", Filter: true},
			{Name: api.KeySatellite, Type: TypePattern, Meaning: "who decided", Filter: true, Kind: string(api.KindSatellite)},
			{Name: api.KeyKey, Type: TypeText, Meaning: "the SSH key's fingerprint", Filter: true},
			{Name: api.KeyVia, Type: TypeVia, Meaning: "how it came", Filter: true},
			{Name: api.KeySince, Type: TypeSince, Meaning: "not older than that"},
			{Name: KeyVerify, Type: TypeYesNo, Meaning: "check each satellite's chain"},
		},
		Examples: []Example{
			{"audit verdict:deny since:2h", "what was refused lately"},
			{"audit object:web-1 -action:read", "who did something to web-1"},
			{"audit verify:yes", "whether the logs are whole"},
		},
	}
	whoami = Verb{
		Name: "whoami", Summary: "tell which account you are here, and how far that goes", Examples: []Example{{"whoami", ""}},
	}
)

// What examples show: BIP 173's first address, and a key of no one.
const (
	exampleAccount = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	exampleKey     = "SHA256:1xW0OZkTVhIQrNwHRG1C1ZMTZpOA8mT3DCJcDsRCkzg"
)
