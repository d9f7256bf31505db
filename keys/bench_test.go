package keys

import "testing"

// BenchmarkVerify is what a login costs a satellite beside its network, by kind of account and form of proof.
func BenchmarkVerify(b *testing.B) {
	k := testKey(b, 1)
	line := testChallenge(b).String()
	for _, kind := range Kinds() {
		account := k.Address(Mainnet, kind)
		for form, sig := range everyForm(b, k, account, line) {
			if form == "default" || form == "unprefixed" || form == "simple, ALL" {
				continue // one of the others
			}
			b.Run(kind.String()+"/"+form, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := Verify(account, line, sig); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/float64(b.N), "µs/op")
			})
		}
	}
}

// BenchmarkRefuse is what a stranger's login costs: a good signature of another message.
func BenchmarkRefuse(b *testing.B) {
	k := testKey(b, 1)
	for _, kind := range Kinds() {
		account := k.Address(Mainnet, kind)
		sig, err := k.Sign(account, "another")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(kind.String(), func(b *testing.B) {
			for b.Loop() {
				if Verify(account, "this", sig) == nil {
					b.Fatal("accepted")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/float64(b.N), "µs/op")
		})
	}
}
