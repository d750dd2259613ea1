package main

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	config "github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	"github.com/cert-manager/cert-manager/internal/apis/config/webhook/scheme"
	"github.com/cert-manager/cert-manager/internal/webhook"
	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	configv1alpha1 "github.com/cert-manager/cert-manager/pkg/apis/config/webhook/v1alpha1"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/util"
)

func webhookMain(ctx context.Context, args []string) error {
	scheme, _, err := scheme.NewSchemeAndCodecs()
	if err != nil {
		return err
	}
	versioned := &configv1alpha1.WebhookConfiguration{}
	scheme.Default(versioned)
	c := config.WebhookConfiguration{}
	if err := scheme.Convert(versioned, &c, nil); err != nil {
		return err
	}
	flags := newFlags("webhook")
	flags.Int32Var(&c.SecurePort, "secure-port", c.SecurePort, "")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress, "")
	flags.StringVar(&c.TLSConfig.Dynamic.SecretNamespace, "dynamic-serving-ca-secret-namespace", "", "")
	flags.StringVar(&c.TLSConfig.Dynamic.SecretName, "dynamic-serving-ca-secret-name", "", "")
	flags.StringSliceVar(&c.TLSConfig.Dynamic.DNSNames, "dynamic-serving-dns-names", nil, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := webhook.NewCertManagerWebhookServer(klog.FromContext(ctx), c)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

func cainjectorMain(ctx context.Context, args []string) error {
	flags := newFlags("cainjector")
	metrics := flags.String("metrics-listen-address", "0", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	inCluster, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(errors.Join(kubernetes.AddToScheme(scheme), apiextensions.AddToScheme(scheme),
		apiregistration.AddToScheme(scheme), certmanager.AddToScheme(scheme)))
	// Its server-side apply takes the field manager from the user agent.
	manager, err := ctrl.NewManager(util.RestConfigWithUserAgent(inCluster, "cainjector"),
		ctrl.Options{Scheme: scheme, Metrics: server.Options{BindAddress: *metrics}})
	if err != nil {
		return err
	}
	if err := cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   true,
			cainjector.ValidatingWebhookConfigurationName: true,
			cainjector.APIServiceName:                     true,
			cainjector.CustomResourceDefinitionName:       true,
		},
	}); err != nil {
		return err
	}
	return manager.Start(ctx)
}
