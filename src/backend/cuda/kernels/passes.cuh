// All layers of a network, forwards and backwards.

// Weights as passes read them.
struct Weights {
    const float* forward;
    const float* back;
    const uint4* tensor;  // tiles for tensor cores; nothing without
};

// The inputs' rows are in place for every thread.
template <bool TRAIN, bool TENSOR>
DEVICE void forward(const Net& net, const Layer* layers, const Weights& weights, const Tile& tile) {
    for (unsigned l = 0; l < net.n_layers; l++) {
        const Layer& layer = layers[l];
        if (TENSOR && layer.flags & IS_TENSOR)
            tensor_forward(net, layer, weights.forward, weights.tensor, tile);
        else
            forward_layer<TRAIN>(net, layer, weights.forward, tile);
        __syncthreads();
    }
}

// Adds to the gradient of every weight; the slopes of the heads are their gradients.
template <bool TENSOR>
DEVICE void backward(const Net& net, const Layer* layers, const Weights& weights, const Tile& tile, float* gradient) {
    for (unsigned l = net.n_layers; l-- > 0;) {
        const Layer& layer = layers[l];
        if (layer.n_back == 0) continue;
        if (TENSOR && layer.flags & IS_TENSOR)
            tensor_backward(net, layer, weights.tensor, tile);
        else
            backward_layer(net, layer, weights.back, tile);
        __syncthreads();
    }
    // Of all layers at once, so that narrow ones leave no threads idle.
    unsigned first = 0;
    for (unsigned l = 0; l < net.n_layers; l++) {
        const Layer& layer = layers[l];
        if (layer.flags & IS_FIXED) continue;
        const bool by_tensor = TENSOR && layer.flags & IS_TENSOR;
        if (by_tensor) tensor_gradient(net, layer, tile, gradient);
        // Of a matrix made by tensor cores only the biases are left.
        const unsigned across = layer.n_places / 4, rows = by_tensor ? 0 : (layer.n_in + 3) / 4, n = (rows + 1) * across;
        // Thread t takes the items t, t + THREADS, ... of the whole list.
        const unsigned skip = (THREADS - first % THREADS + threadIdx.x) % THREADS;
        for (unsigned item = skip; item < n; item += THREADS) {
            const unsigned row = item / across, place = item % across * 4;
            if (row < rows)
                gradient_item(net, layer, tile, 4 * row, place, gradient);
            else
                bias_item(net, layer, tile, place, gradient);
        }
        first += n;
    }
    __syncthreads();
}
