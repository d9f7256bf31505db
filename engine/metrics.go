package engine

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"decenter/engine/api"
)

// metrics are the engine's figures in Prometheus' text format. Gauges are read when they are asked for.
type metrics struct {
	registry   *prometheus.Registry
	jobs       *prometheus.CounterVec
	jobSeconds *prometheus.HistogramVec
}

var (
	vmsDesc  = prometheus.NewDesc("decenter_vms", "VMs of this satellite by state.", []string{"state"}, nil)
	satsDesc = prometheus.NewDesc("decenter_satellites", "Satellites of the constellation by state, as this one sees them.", []string{"state"}, nil)
	portDesc = prometheus.NewDesc("decenter_port_frames_total", "Frames of a fabric port by what became of them.", []string{"port", "verdict"}, nil)
	upDesc   = prometheus.NewDesc("decenter_hypervisor_up", "1 where the hypervisor answers.", nil, nil)
)

func newMetrics(e *Engine) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "decenter_jobs_total",
			Help: "Jobs that are over, by verb and how they ended."}, []string{"verb", "state"}),
		jobSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "decenter_job_seconds",
			Help: "How long jobs took.", Buckets: prometheus.ExponentialBuckets(0.05, 2, 14)}, []string{"verb"}),
	}
	m.registry.MustRegister(m.jobs, m.jobSeconds, live{e}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Metrics serves /metrics.
func (e *Engine) Metrics() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(e.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second,
		ErrorHandling: promhttp.ContinueOnError})) // two ports that share a name for a moment cost their own figures alone
	return mux
}

// live collects what is true at the moment of the question.
type live struct{ e *Engine }

func (l live) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{vmsDesc, satsDesc, portDesc, upDesc} {
		ch <- d
	}
}

func (l live) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), askWait)
	defer cancel()
	vms, err := l.e.vms(ctx)
	if err == nil {
		gauge(upDesc, 1)
	} else {
		gauge(upDesc, 0)
	}
	byState := map[api.VMState]float64{api.StateRunning: 0, api.StateStopped: 0, api.StatePaused: 0, api.StateCrashed: 0}
	for _, v := range vms {
		byState[v.State]++
	}
	for s, n := range byState {
		gauge(vmsDesc, n, string(s))
	}
	sats := map[api.SatelliteState]float64{api.SatelliteLive: 0, api.SatelliteFailed: 0}
	for _, m := range l.e.cfg.Radar.Members() {
		sats[m.State]++
	}
	for s, n := range sats {
		gauge(satsDesc, n, string(s))
	}
	for _, p := range l.e.cfg.Fabric.Tree().Ports {
		count := func(verdict string, n uint64) {
			ch <- prometheus.MustNewConstMetric(portDesc, prometheus.CounterValue, float64(n), p.Name, verdict)
		}
		count("received", p.RX)
		count("sent", p.TX)
		count("dropped", p.Dropped)
	}
}
