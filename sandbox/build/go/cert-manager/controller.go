package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"

	// Upstream's default controllers, without Venafi (a module the proxy does not hold) and Vault.
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

// controllerFlags holds upstream's defaults (internal/apis/config/controller/v1alpha1, which cannot be
// imported without the Venafi issuer, see the imports) and reads the chart's flags over them.
func controllerFlags(args []string) (controller.ContextOptions, []string, error) {
	o := controller.ContextOptions{
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
		},
		IngressShimOptions: controller.IngressShimOptions{
			DefaultAutoCertificateAnnotations: []string{"kubernetes.io/tls-acme"},
		},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	}
	flags := newFlags("controller")
	controllers := flags.StringSlice("controllers", []string{"*"}, "")
	recursiveOnly := flags.Bool("dns01-recursive-nameservers-only", false, "")
	flags.StringSliceVar(&o.DNS01Nameservers, "dns01-recursive-nameservers", dnsutil.RecursiveNameservers, "")
	flags.DurationVar(&o.DNS01CheckRetryPeriod, "dns01-check-retry-period", 10*time.Second, "")
	flags.StringVar(&o.HTTP01SolverImage, "acme-http01-solver-image", "", "")
	flags.IntVar(&o.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "")
	flags.StringVar(&o.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "")
	flags.BoolVar(&o.IssuerAmbientCredentials, "issuer-ambient-credentials", false, "")
	flags.BoolVar(&o.ClusterIssuerAmbientCredentials, "cluster-issuer-ambient-credentials", true, "")
	flags.BoolVar(&o.EnableOwnerRef, "enable-certificate-owner-ref", false, "")
	flags.StringVar(&o.DefaultIssuerName, "default-issuer-name", "", "")
	flags.StringVar(&o.DefaultIssuerKind, "default-issuer-kind", "Issuer", "")
	flags.StringVar(&o.DefaultIssuerGroup, "default-issuer-group", "cert-manager.io", "")
	flags.DurationVar(&o.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration", time.Hour, "")
	err := flags.Parse(args)
	o.DNS01CheckAuthoritative = !*recursiveOnly
	return o, *controllers, err
}

func controllerMain(ctx context.Context, args []string) error {
	options, controllers, err := controllerFlags(args)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	root, err := factory.Build()
	if err != nil {
		return err
	}
	serve := func(address string, run func(net.Listener) error) error {
		listener, err := net.Listen("tcp", address)
		if err == nil {
			group.Go(func() error { return run(listener) })
		}
		return err
	}
	// The chart's liveness probe asks for /livez here and restarts the pod without an answer.
	health := healthz.NewServer(20 * time.Second)
	if err := serve("0.0.0.0:9403", func(l net.Listener) error { return health.Start(ctx, l) }); err != nil {
		return err
	}
	if err := serve("0.0.0.0:9402", func(l net.Listener) error {
		metrics := root.Metrics.NewServer(l)
		context.AfterFunc(ctx, func() { metrics.Close() })
		if err := metrics.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}); err != nil {
		return err
	}
	// What upstream's own main collects: the certificates' dates and states.
	root.Metrics.SetupCertificateCollector(root.SharedInformerFactory.Certmanager().V1().Certificates().Lister())
	root.Metrics.SetupACMECollector(root.SharedInformerFactory.Acme().V1().Challenges().Lister())
	for name, construct := range controller.Known() {
		if slices.Contains(controllers, "-"+name) {
			continue
		}
		built, err := construct(factory)
		if err != nil {
			return err
		}
		group.Go(func() error { return built.Run(5, ctx) })
	}
	root.SharedInformerFactory.Start(ctx.Done())
	root.KubeSharedInformerFactory.Start(ctx.Done())
	root.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}
