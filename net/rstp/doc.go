// Package rstp is the legacy edge
package rstp
