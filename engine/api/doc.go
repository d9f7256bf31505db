// Package api is what a person or a program can ask of a constellation: requests, views, events and
// errors, as plain types. The shell and the console speak it; the engine answers it, on a unix socket for
// the machine's own users and over TLS for other satellites (package engine/rpc carries it).
//
// # Shapes
//
// Every name a person types is text; every size is bytes; every time is UTC; every list is sorted by name and
// then by satellite, so that two equal questions get equal answers. JSON field names are stable: fields are
// added, never renamed, and a reader ignores fields it does not know.
//
// # Where an act happens
//
// Any satellite takes any request. A request about a VM is carried out by the satellite that holds it, which
// the asked satellite finds by radar at that moment. Long work is a Job of the satellite that carries it out;
// the reply that starts it holds the job's first state, and Events or Jobs tell the rest, from any satellite.
//
// # Who asks
//
// A Service is opened for one Caller and keeps it: no request carries an account of its own, so none can lie.
package api
