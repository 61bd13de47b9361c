import {
  choice,
  type FieldConversions,
  integer,
  listOf,
  structure,
  takenSecretText,
  text,
  timestamp,
  flag,
} from './conversion.js';
import {
  ConnectionErrorCode,
  ConnectionState,
  type CustomKeyStoresListEntry,
  CustomKeyStoreType,
  type XksProxyAuthenticationCredential,
  type XksProxyConfiguration,
  XksProxyConnectivity,
} from './gen/holdfast/kms/v1/key_store.js';
import * as gen from './gen/holdfast/kms/v1/key_store_service.js';
import { methodCodec } from './method-codec.js';

const xksProxyConnectivity = choice(XksProxyConnectivity);

/** The fields of an external key store proxy, in requests that may carry them. */
const xksProxy = {
  xksProxyUriEndpoint: text,
  xksProxyUriPath: text,
  xksProxyVpcEndpointServiceName: text,
  xksProxyVpcEndpointServiceOwner: text,
  xksProxyAuthenticationCredential: structure<XksProxyAuthenticationCredential>({
    accessKeyId: text,
    rawSecretAccessKey: text,
  }),
  xksProxyConnectivity,
};

const listEntry = structure<CustomKeyStoresListEntry>({
  customKeyStoreId: text,
  customKeyStoreName: text,
  cloudHsmClusterId: text,
  trustAnchorCertificate: text,
  connectionState: choice(ConnectionState),
  connectionErrorCode: choice(ConnectionErrorCode),
  creationDate: timestamp,
  customKeyStoreType: choice(CustomKeyStoreType),
  xksProxyConfiguration: structure<XksProxyConfiguration>({
    connectivity: xksProxyConnectivity,
    accessKeyId: text,
    uriEndpoint: text,
    uriPath: text,
    vpcEndpointServiceName: text,
    vpcEndpointServiceOwner: text,
  }),
});

const storeId: FieldConversions<{ customKeyStoreId?: string | undefined }> = { customKeyStoreId: text };
const nothing = structure<object>({});

/** Codecs of KeyStoreService. */
export const keyStoreCodecs = {
  CreateCustomKeyStore: methodCodec('CreateCustomKeyStore', {
    request: gen.CreateCustomKeyStoreRequest,
    requestFields: structure<gen.CreateCustomKeyStoreRequest>({
      customKeyStoreName: text,
      cloudHsmClusterId: text,
      trustAnchorCertificate: text,
      keyStorePassword: takenSecretText,
      customKeyStoreType: choice(CustomKeyStoreType),
      ...xksProxy,
    }),
    response: gen.CreateCustomKeyStoreResponse,
    responseFields: structure<gen.CreateCustomKeyStoreResponse>({ customKeyStoreId: text }),
    carriesSecrets: true,
    secretText: { name: 'keyStorePassword', fieldNumber: 4 },
  }),
  ConnectCustomKeyStore: methodCodec('ConnectCustomKeyStore', {
    request: gen.ConnectCustomKeyStoreRequest,
    requestFields: structure<gen.ConnectCustomKeyStoreRequest>(storeId),
    response: gen.ConnectCustomKeyStoreResponse,
    responseFields: nothing,
  }),
  DisconnectCustomKeyStore: methodCodec('DisconnectCustomKeyStore', {
    request: gen.DisconnectCustomKeyStoreRequest,
    requestFields: structure<gen.DisconnectCustomKeyStoreRequest>(storeId),
    response: gen.DisconnectCustomKeyStoreResponse,
    responseFields: nothing,
  }),
  DescribeCustomKeyStores: methodCodec('DescribeCustomKeyStores', {
    request: gen.DescribeCustomKeyStoresRequest,
    requestFields: structure<gen.DescribeCustomKeyStoresRequest>({
      customKeyStoreId: text,
      customKeyStoreName: text,
      limit: integer,
      marker: text,
    }),
    response: gen.DescribeCustomKeyStoresResponse,
    responseFields: structure<gen.DescribeCustomKeyStoresResponse>({
      customKeyStores: listOf(listEntry),
      nextMarker: text,
      truncated: flag,
    }),
  }),
  UpdateCustomKeyStore: methodCodec('UpdateCustomKeyStore', {
    request: gen.UpdateCustomKeyStoreRequest,
    requestFields: structure<gen.UpdateCustomKeyStoreRequest>({
      customKeyStoreId: text,
      newCustomKeyStoreName: text,
      keyStorePassword: takenSecretText,
      cloudHsmClusterId: text,
      ...xksProxy,
    }),
    response: gen.UpdateCustomKeyStoreResponse,
    responseFields: nothing,
    carriesSecrets: true,
    secretText: { name: 'keyStorePassword', fieldNumber: 3 },
  }),
  DeleteCustomKeyStore: methodCodec('DeleteCustomKeyStore', {
    request: gen.DeleteCustomKeyStoreRequest,
    requestFields: structure<gen.DeleteCustomKeyStoreRequest>(storeId),
    response: gen.DeleteCustomKeyStoreResponse,
    responseFields: nothing,
  }),
};
